/** Outcomes in the form in which tests compare them. */
import { type Outcome, withoutDrop } from './sandbox.ts';

/** What a program said and how it ended, without the line that only root sees. */
export function said({ status, stdout, stderr }: Outcome) {
  return { status, stdout, stderr: withoutDrop(stderr) };
}

/** What a refusal looks like: its exit status, and its two lines. */
export function refusal(status: number, message: string, hint?: string) {
  const next = hint === undefined ? '' : `ktadmin: hint: ${hint}\n`;
  return { status, stdout: '', stderr: `ktadmin: error: ${message}\n${next}` };
}
