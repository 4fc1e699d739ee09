import type { Difference } from '../backups/restore/difference.ts';
import { counted } from '../core/counted.ts';

/** A long list says nothing to a person. */
const SHOWN = 20;

const names = (all: string[]) =>
  all.length > SHOWN ? `${all.slice(0, SHOWN).join(' ')} and ${all.length - SHOWN} more` : all.join(' ');

/** How the numbers of the four main tables are said. */
export const countedRows = (rows: Record<string, number>) =>
  ['organization', 'contact', 'client', 'deposit'].map((name) => counted(rows[name] ?? 0, name)).join(', ');

/** What is lost or revived by going back, in words: a line of numbers, and a line for each kind of thing. */
export function describeDifference({ rowsNow, rowsThen, organizations, clients }: Difference): string {
  const kinds: [string, string[]][] = [
    ['organizations that vanish', organizations.gone],
    ['organizations that come back', organizations.back],
    ['organizations enabled again', organizations.enabledAgain],
    ['organizations whose authorization code changes back', organizations.otherCode],
    ['clients that vanish', clients.gone],
    ['clients that come back', clients.back],
    ['clients enabled again', clients.enabledAgain],
  ];
  return [
    'what going back loses or revives',
    `  now   ${countedRows(rowsNow)}`,
    `  then  ${countedRows(rowsThen)}`,
    ...kinds.filter(([, all]) => all.length > 0).map(([what, all]) => `  ${what}: ${names(all)}`),
  ].join('\n');
}
