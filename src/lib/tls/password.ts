import { failure } from '../core/errors.ts';
import { Interrupted } from '../core/interrupt.ts';
import { run } from '../core/process.ts';
import { splitWords } from '../core/words.ts';

/** No script may take longer; milliseconds. */
const LIMIT = 10_000;
const LONGEST = 1024;
/** Bytes of output that are taken; who prints more is ended. */
const MOST = 4096;
const NAME = 'SSL_PRIVATE_KEY_PASSWORD_SCRIPT';
const HINT = 'it must print the password of SSL_PRIVATE_KEY, and end with status 0 within 10 seconds';

function refuse(what: string, hint = HINT): never {
  throw failure('failed', `${NAME} ${what}`, hint);
}

function wordsOf(script: string): [file: string, ...args: string[]] {
  let words: string[] = [];
  try {
    words = splitWords(script);
  } catch {
    refuse('has a quote that is not closed', 'write it as one command line, without a shell');
  }
  const [file, ...args] = words;
  if (file === undefined) refuse('is empty');
  return [file, ...args];
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  if (message.endsWith(' printed too much')) return 'printed more than 4 KiB';
  return message.endsWith(' in time') ? 'did not end in time' : 'names a program that cannot be run';
}

/**
 * The password of a private key, as a command prints it: a command line without a shell. One line's end behind it does not
 * belong to it. Neither the command nor what it printed is in any error.
 */
export async function passwordOf(script: string, limit = LIMIT): Promise<string> {
  const [file, ...args] = wordsOf(script);
  let answer: Awaited<ReturnType<typeof run>>;
  try {
    answer = await run(file, args, { timeout: limit, whole: true, most: MOST });
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    refuse(reasonOf(error));
  }
  if (answer.status !== 0) {
    const how = answer.signal === null ? `exit status ${answer.status}` : `signal ${answer.signal}`;
    refuse(`failed (${how})`);
  }
  const password = answer.stdout.replace(/\r?\n$/, '');
  if (password === '') refuse('printed nothing');
  if (password.length > LONGEST || /[\r\n\0]/.test(password)) refuse('printed more than one line');
  return password;
}

/** What is to be said where the password stands in the command itself, and everybody may read it who can list processes. */
export function passwordWarning(script: string | undefined): string[] {
  if (script === undefined || !/^\s*(?:\S*\/)?(?:echo|printf)\s/.test(script)) return [];
  return [
    `${NAME} holds the password itself, and whoever lists processes sees it: let it be cat and a file of mode 0600`,
  ];
}
