import { failure } from './errors.ts';
import { lstatOrNothing } from './files.ts';
import { shellWord } from './quote.ts';

/** Where it is written that the parts of a server are being exchanged; the file is there only meanwhile. */
export const exchangeJournal = (confdir: string) => `${confdir}.exchange.json`;

/** What to do about the exchange of a server's parts that was cut off. */
function finishHint(confdir: string): string {
  const command = (how: string) => `ktadmin restore --${how} --confdir ${shellWord(confdir)}`;
  return `to finish it: ${command('finish')}; to go back: ${command('undo')}`;
}

/** Refuses to work on a server whose parts were being exchanged when a run died: they may be of two states. */
export async function refuseUnfinished(confdir: string): Promise<void> {
  // Who may not even look there is told so by what comes next.
  const stats = await lstatOrNothing(exchangeJournal(confdir)).catch(() => undefined);
  if (stats === undefined) return;
  throw failure(
    'state',
    `a restore of ${confdir} was cut off while old and new were exchanged, or is at it now`,
    finishHint(confdir),
  );
}
