import { type Check, judge } from '../backups/verify/checks.ts';

const COLUMN = 12;

/** What a stranger's set says must not steer a terminal. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const shown = (character: string) => `\\x{${character.codePointAt(0)?.toString(16)}}`;

function describe({ check, outcome, detail }: Check): string {
  const text = detail.replace(UNPRINTABLE, shown);
  return `${check.padEnd(COLUMN)}${outcome === 'ok' ? `ok (${text})` : `${outcome}: ${text}`}\n`;
}

/** What came of each check, a line each, and the verdict. */
export function describeChecks(checks: Check[]): string {
  return `${checks.map(describe).join('')}${judge(checks).text}\n`;
}
