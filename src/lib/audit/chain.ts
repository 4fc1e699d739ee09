import { type Head, hashOf, type Line, NOTHING, type Position, parseLine } from './format.ts';

/** Something that is not as the program left it. `line` is counted from 1. */
export interface Fault {
  file: string;
  line?: number;
  fault: string;
}

/** What is known while the lines of a stream are read one after the other. */
export interface Chain {
  last: Position;
  lines: number;
  /** The number of the first line, and of lines, of the file that is read. */
  first: number;
  inFile: number;
  /** Whether the line that the head record names has been seen as it was. */
  hasHead: boolean;
  faults: Fault[];
  /** Whether a line was found that is not the one that another stream has seen. */
  isOther: boolean;
}

/** More faults than this are not told of one stream. */
const MOST = 100;

/** A chain before its first line. */
export function newChain(): Chain {
  return {
    ...{ last: { file: 0, seq: 0, hash: NOTHING }, lines: 0, first: 0, inFile: 0, hasHead: false },
    ...{ faults: [], isOther: false },
  };
}

/** Notes a fault. */
export function blame(chain: Chain, fault: Fault): void {
  if (chain.faults.length < MOST) chain.faults.push(fault);
}

function describeBreak({ seq, previous }: Line, last: Position): string | undefined {
  const next = last.seq + 1;
  if (seq > next)
    return `line ${next === seq - 1 ? `${next} is` : `${next} to ${seq - 1} are`} missing before it`;
  if (seq < next) return `number ${seq} comes after ${last.seq}: a line was inserted, doubled or moved`;
  if (previous === last.hash) return undefined;
  return seq === 1
    ? 'it is not the first line that was written'
    : 'it does not follow the line before: one of them was changed';
}

/** What a line about the trail itself tells. */
function readOwn({ event, what, reason }: Line): string | undefined {
  if (event === 'audit.gap') return `a gap is recorded after number ${what?.seq}: ${reason}`;
  return undefined;
}

const OPENINGS = ['audit.open', 'audit.gap'];

/** Takes the next line of a stream and notes what is wrong with it. */
export function follow(
  chain: Chain,
  bytes: Buffer,
  place: { file: string; line: number; number: number },
  head: Head,
): void {
  const { file, line: number } = place;
  const line = parseLine(bytes.toString('utf8'));
  const hash = hashOf(bytes);
  if (number === 1) Object.assign(chain, { first: line?.seq ?? chain.last.seq + 1, inFile: 0 });
  chain.lines += 1;
  chain.inFile += 1;
  if (line === undefined) {
    blame(chain, { file, line: number, fault: 'it is no line of the trail' });
    chain.last = { file: place.number, seq: chain.last.seq + 1, hash };
    return;
  }
  const fault = readOwn(line) ?? describeBreak(line, chain.last);
  if (fault !== undefined) blame(chain, { file, line: number, fault });
  if (number === 1 && !OPENINGS.includes(line.event))
    blame(chain, { file, line: number, fault: 'the first lines of the file are missing' });
  chain.last = { file: place.number, seq: line.seq, hash };
  if (line.seq === head.seq && hash === head.hash) chain.hasHead = true;
}
