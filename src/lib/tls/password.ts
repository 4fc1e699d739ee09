import { failure } from '../core/errors.ts';
import { Interrupted } from '../core/interrupt.ts';
import { run } from '../core/process.ts';
import { splitWords } from '../core/words.ts';
import { SETTINGS_WORDS, type Words } from './words.ts';

/** No script may take longer; milliseconds. */
const LIMIT = 10_000;
const LONGEST = 1024;
/** Bytes of output that are taken; who prints more is ended. */
const MOST = 4096;

/** What is wrong with a command, and what to do where that is not the usual. */
type Wrong = { what: string; hint?: string };

function wordsOf(script: string): [file: string, ...args: string[]] | Wrong {
  try {
    const [file, ...args] = splitWords(script);
    return file === undefined ? { what: 'is empty' } : [file, ...args];
  } catch {
    return { what: 'has a quote that is not closed', hint: 'write it as one command line, without a shell' };
  }
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  if (message.endsWith(' printed too much')) return 'printed more than 4 KiB';
  return message.endsWith(' in time') ? 'did not end in time' : 'names a program that cannot be run';
}

/** What a command printed, or what is wrong with it. */
async function printed(script: string, limit: number): Promise<string | Wrong> {
  const words = wordsOf(script);
  if (!Array.isArray(words)) return words;
  const [file, ...args] = words;
  let answer: Awaited<ReturnType<typeof run>>;
  try {
    answer = await run(file, args, { timeout: limit, whole: true, most: MOST });
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    return { what: reasonOf(error) };
  }
  const how = answer.signal === null ? `exit status ${answer.status}` : `signal ${answer.signal}`;
  if (answer.status !== 0) return { what: `failed (${how})` };
  const password = answer.stdout.replace(/\r?\n$/, '');
  if (password === '') return { what: 'printed nothing' };
  const isLine = password.length <= LONGEST && !/[\r\n\0]/.test(password);
  return isLine ? password : { what: 'printed more than one line' };
}

/**
 * The password of a private key, as a command prints it: a command line without a shell. One line's end behind it does not
 * belong to it. Neither the command nor what it printed is in any error: it is called as whoever named it does.
 */
export async function passwordOf(
  script: string,
  { script: name, key }: Pick<Words, 'script' | 'key'> = SETTINGS_WORDS,
  limit = LIMIT,
): Promise<string> {
  const found = await printed(script, limit);
  if (typeof found === 'string') return found;
  const { what, hint = `it must print the password of ${key}, and end with status 0 within 10 seconds` } =
    found;
  throw failure('failed', `${name} ${what}`, hint);
}

/** What is to be said where the password stands in the command itself, and everybody may read it who can list processes. */
export function passwordWarning(script: string | undefined): string[] {
  if (script === undefined || !/^\s*(?:\S*\/)?(?:echo|printf)\s/.test(script)) return [];
  return [
    `${SETTINGS_WORDS.script} holds the password itself, and whoever lists processes sees it: let it be cat and a file of mode 0600`,
  ];
}
