import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import { readGiven } from '../certificates/given.ts';
import type { Settings } from '../core/configuration.ts';
import { failure } from '../core/errors.ts';
import { shellWord } from '../core/quote.ts';
import { splitWords } from '../core/words.ts';
import { passwordOf } from '../tls/password.ts';
import { GIVEN_WORDS } from '../tls/words.ts';
import { passwordIn } from './certificate-check.ts';

/** How the password of a key is to be had. */
export interface PasswordValues {
  passwordScript: string | undefined;
  passwordFile: string | undefined;
}

/** The command that prints the key's password: what the setting will say. */
export async function scriptOf(
  { passwordScript, passwordFile }: PasswordValues,
  { account }: Settings,
): Promise<string | undefined> {
  if (passwordFile === undefined) return passwordScript;
  const { fault } = await readGiven(passwordFile);
  if (fault?.code === 'unreadable') {
    const hint = `the server reads it whenever it starts: chown ${account.name} ${shellWord(passwordFile)}`;
    throw failure('permission', `${passwordFile} cannot be read by ${account.name}`, hint);
  }
  return `cat ${shellWord(passwordFile)}`;
}

/** Asks once, however often the password is needed. */
function once(source: () => Promise<string>): () => Promise<string> {
  let asked: Promise<string> | undefined;
  return () => (asked ??= source());
}

/** What gives the password that was named: what is wrong with it is told by what was typed, not by the setting to come. */
export function namedSource({ passwordFile }: PasswordValues, script: string | undefined) {
  if (passwordFile !== undefined) return once(async () => passwordIn(await readGiven(passwordFile)));
  return script === undefined ? undefined : once(() => passwordOf(script, GIVEN_WORDS));
}

/** The file that a command does nothing but print; undefined where it is another. */
function printedFile(script: string): string | undefined {
  try {
    const [program = '', path = '', ...more] = splitWords(script);
    return /^(?:(?:\/usr)?\/bin\/)?cat$/.test(program) && isAbsolute(path) && more.length === 0
      ? path
      : undefined;
  } catch {
    // What is wrong with it is told when it is run.
    return undefined;
  }
}

/** What is to be said where the password lies in a file that a backup does not hold: its server could not start. */
export async function backupWarnings(script: string | undefined, confdir: string): Promise<string[]> {
  const path = script === undefined ? undefined : printedFile(script);
  if (path === undefined) return [];
  const [home, place] = await Promise.all(
    [confdir, dirname(path)].map((directory) => realpath(directory).catch(() => directory)),
  );
  if (`${place}/`.startsWith(`${home}/`)) return [];
  return [
    `backups do not hold ${path}, and a restored server cannot start without it: keep a copy of it elsewhere, or put it below ${confdir}, where backups hold it`,
  ];
}
