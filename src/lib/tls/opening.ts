import type { ChildResult } from '../core/child-result.ts';
import { explain } from '../core/errors.ts';
import { Interrupted } from '../core/interrupt.ts';
import { run } from '../core/process.ts';
import type { Fault } from './fault.ts';

/** What was read with a password, or why it was not. */
export type Opening<Content> = { opened: Content } | { fault: Fault };

/** A file that has a password: its name is for faults alone, its bytes are what counts. */
export interface LockedFile {
  path: string;
  bytes: Buffer;
}

/** Who sets millions of rounds for a password does not hold up the program for ever; milliseconds. */
const LIMIT = 30_000;

/** Limits for the programs that open a file. */
export const limits = { timeout: LIMIT, whole: true } as const;

/** Runs openssl with a file on its standard input and the password on a descriptor: nobody else sees them. */
export function openssl(args: string[], input: Buffer, password: string): Promise<ChildResult> {
  const stdio = [input, 'pipe', 'pipe', Buffer.from(`${password}\n`)];
  return run('openssl', [...args, '-passin', 'fd:3'], { ...limits, stdio: stdio as never });
}

/** What is said where a password does not open a file. */
export function wrongPassword(path: string, attempt: string): Fault {
  const hint = `${attempt} asks for the password, to try it by hand`;
  return { code: 'password-wrong', message: `${path} does not open with the password that was given`, hint };
}

/** Runs work that needs a program; where that is missing or fails, the way to do by hand what it would have done is told. */
export async function convert<Content>(
  path: string,
  byHand: string,
  work: () => Promise<Opening<Content>>,
): Promise<Opening<Content>> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    return { fault: notConverted(path, explain(error).message, byHand) };
  }
}

/** What is said of a file that cannot be converted here. `byHand` is what the administrator types. */
export function notConverted(path: string, why: string, byHand: string): Fault {
  return { code: 'not-converted', message: `${path} cannot be opened here: ${why}`, hint: byHand };
}

/** What is said of a file that begins like a store and is none. */
export function damaged(path: string, form: string): Fault {
  const hint = 'copy it here again, in binary mode';
  return { code: 'not-recognized', message: `${path} is a damaged ${form}`, hint };
}
