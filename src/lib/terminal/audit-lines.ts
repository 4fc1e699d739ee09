import type { ShownLine } from '../audit/show.ts';
import type { TrailReport } from '../audit/verify.ts';
import { quote } from '../core/quote.ts';

/** A value as it is, where it is one plain word; else in quotes. */
function word(value: unknown): string {
  const text = String(value);
  return /^[\w@%+=:,./ -]+$/.test(text) && !/\s{2}|^\s|\s$/.test(text) ? text : quote(text);
}

/** One line of the trail, for people. */
export function describeLine({ time, event, who, from, what, outcome, reason }: ShownLine): string {
  const told = Object.entries(what ?? {}).map(([key, value]) => `${word(key)}=${word(value)}`);
  const ended =
    outcome === 'done' ? [] : [`${word(outcome)}${reason === undefined ? '' : `: ${quote(reason)}`}`];
  return `${[word(time), word(event).padEnd(20), word(who), word(from), ...told, ...ended].join('  ')}\n`;
}

const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** What a trail was found to be, for people; the last line is the verdict. */
export function describeTrail({ directory, trusted, streams }: TrailReport): string {
  const lines = streams.flatMap(({ stream, files, lines: all, sealed, unsealed, faults }) => [
    `${stream}: ${counted(all, 'line')} in ${counted(files, 'file')}, ${sealed} sealed` +
      `${unsealed === 0 ? '' : `, ${unsealed} not sealed yet`}${faults.length === 0 ? '' : `; ${counted(faults.length, 'fault')}`}`,
    ...faults.map(
      ({ file, line, fault }) => `  ${file}${line === undefined ? '' : ` line ${line}`}: ${fault}`,
    ),
  ]);
  const verdict = trusted
    ? `The audit trail in ${directory} is whole`
    : `The audit trail in ${directory} is NOT whole: it was changed by somebody else, or the disk lost some of it`;
  return `${[...lines, verdict].join('\n')}\n`;
}
