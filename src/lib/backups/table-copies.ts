import { childFailure } from '../core/child-result.ts';
import { failure } from '../core/errors.ts';
import type { StreamingChild } from '../core/process.ts';
import { copyLine } from '../database/copy.ts';
import type { MeasuredTable } from '../database/tables.ts';

/** A file of a dump. `size` in bytes; its content can be read once, after that of the files before it. */
export interface DumpFile {
  name: string;
  size: number;
  content(): AsyncIterable<Buffer>;
}

/** How every binary copy begins and ends. */
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const END = Buffer.from([0xff, 0xff]);

/** Hands out what a child writes in portions of known lengths. */
function portions(child: StreamingChild) {
  const source = (child.stdout as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  const next = async () => {
    const { value, done } = await source.next();
    return done === true ? undefined : value;
  };
  return {
    async *take(size: number): AsyncGenerator<Buffer> {
      for (let left = size; left > 0; ) {
        const chunk = held.length > 0 ? held : await next();
        if (chunk === undefined) {
          await checkStatus(child);
          throw failure('failed', 'the copy of the database is shorter than computed');
        }
        held = chunk.subarray(left);
        left -= Math.min(left, chunk.length);
        yield held.length > 0 ? chunk.subarray(0, chunk.length - held.length) : chunk;
      }
    },
    /** Whether nothing is left. */
    isEmpty: async () => held.length === 0 && (await next()) === undefined,
  };
}

/** Passes a table's copy on, and looks whether it is one: what has another length than was computed is cut elsewhere. */
async function* framed(name: string, size: number, copy: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let start = Buffer.alloc(0);
  let end = Buffer.alloc(0);
  for await (const chunk of copy) {
    if (start.length < SIGNATURE.length) start = Buffer.concat([start, chunk.subarray(0, SIGNATURE.length)]);
    end = Buffer.concat([end, chunk.subarray(-END.length)]).subarray(-END.length);
    yield chunk;
  }
  if (!start.subarray(0, SIGNATURE.length).equals(SIGNATURE) || !end.equals(END))
    throw failure('failed', `the copy of the table ${name} is not ${size} bytes long, as was computed`);
}

/** What psql says of its end comes first: the end of its output says nothing of how it ended (hazards PG-16, PG-17). */
async function checkStatus({ done }: StreamingChild): Promise<void> {
  const result = await done;
  if (result.status !== 0) throw childFailure('psql', result);
}

async function checkEnd(child: StreamingChild, isEmpty: () => Promise<boolean>): Promise<void> {
  if (!(await isEmpty())) throw failure('failed', 'the copy of the database is longer than computed');
  await checkStatus(child);
}

/** The files of the tables' data, and the end of the program that writes them, should they not be read to their end. */
export interface TableFiles {
  files: DumpFile[];
  close(): Promise<void>;
}

/**
 * The files of a dump that hold the tables' data, out of one stream of binary copies, which is started with the first of
 * them.
 */
export function tableFiles(tables: MeasuredTable[], start: () => Promise<StreamingChild>): TableFiles {
  let child: StreamingChild | undefined;
  let stream: ReturnType<typeof portions> | undefined;
  const files = tables.map((table, index) => {
    const line = copyLine(table);
    const size = table.copySize ?? 0;
    async function* content(): AsyncGenerator<Buffer> {
      child ??= await start();
      stream ??= portions(child);
      yield line;
      yield* framed(table.name, size, stream.take(size));
      if (index === tables.length - 1) await checkEnd(child, stream.isEmpty);
    }
    return { name: `${table.name}.copy`, size: line.length + size, content };
  });
  const close = async () => {
    child?.kill();
    await child?.done.catch(() => undefined);
  };
  return { files, close };
}
