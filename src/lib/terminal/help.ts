import { STATUS, STATUS_MEANING, type StatusName } from '../core/errors.ts';

/** What stands at the end of every command's help. */
export function footer(examples: string[]): string {
  const statuses = (Object.keys(STATUS) as StatusName[]).map(
    (name) => `  ${String(STATUS[name]).padStart(3)}  ${STATUS_MEANING[name]}`,
  );
  const shown =
    examples.length === 0 ? '' : `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}\n`;
  return `${shown}
Environment:
  KEYTRUSTEE_CONFDIR  configuration directory when --confdir is not given
  PG_BINDIR           where PostgreSQL's programs are, instead of looking

Exit status:
${statuses.join('\n')}
  128+n  ended by signal n

Manual: man ktadmin`;
}
