import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { GivenFile } from '../certificates/given.ts';
import type { Wish } from '../certificates/wish.ts';
import type { Settings } from '../core/configuration.ts';
import { failure } from '../core/errors.ts';
import { shellWord } from '../core/quote.ts';
import type { PasswordSource } from '../tls/material.ts';
import { readKey } from '../tls/pair.ts';
import { passwordOf } from '../tls/password.ts';
import { askSecret } from './prompts.ts';
import type { Terminal } from './terminal.ts';

/** How the password of a key is to be had. */
export interface PasswordValues {
  passwordScript: string | undefined;
  passwordFile: string | undefined;
}

/** The files of a certificate that is to be put to use, as its caller read them. */
export interface GivenFiles {
  cert: GivenFile | undefined;
  key: GivenFile | undefined;
  ca: GivenFile | undefined;
}

/** The command that prints the key's password: what the setting will say. */
async function scriptOf(
  { passwordScript, passwordFile }: PasswordValues,
  { account }: Settings,
): Promise<string | undefined> {
  if (passwordScript !== undefined && passwordFile !== undefined)
    throw failure('usage', '--password-script and --password-file exclude each other');
  if (passwordFile === undefined) return passwordScript;
  await access(passwordFile, constants.R_OK).catch(() => {
    const hint = `the server reads it whenever it starts: chown ${account.name} ${shellWord(passwordFile)}`;
    throw failure('permission', `${passwordFile} cannot be read by ${account.name}`, hint);
  });
  return `cat ${shellWord(passwordFile)}`;
}

/** Asks once, however often the password is needed. */
function once(source: PasswordSource): PasswordSource {
  let asked: Promise<string> | undefined;
  return () => (asked ??= source());
}

function prompt(terminal: Terminal): PasswordSource | undefined {
  if (!terminal.canAsk) return undefined;
  return once(async () => {
    const password = await askSecret('Password of the private key', (text) => text);
    terminal.notice('the key is stored without its password: only the service account can read it');
    return password;
  });
}

/** What the values of `cert rotate` ask for. A key in use that goes on being used keeps its password. */
export async function wishOf(
  given: GivenFiles & { cert: GivenFile },
  values: PasswordValues & { inPlace: boolean },
  settings: Settings,
  terminal: Terminal,
): Promise<Wish> {
  const { configuration } = settings;
  const { cert: certificate, key, ca: authorities } = given;
  const script = await scriptOf(values, settings);
  const inUse = key === undefined ? await readKey(configuration).catch(() => undefined) : undefined;
  const scripted = script === undefined ? undefined : once(() => passwordOf(script));
  return {
    ...{ given: { certificate, key, authorities }, protocol: configuration, origin: 'files' },
    place: values.inPlace ? 'in-place' : 'copied',
    password: scripted ?? (values.inPlace ? undefined : prompt(terminal)),
    spareKeys: inUse === undefined ? [] : [inUse],
    lockFor(opened) {
      const own = inUse?.equals(opened) === true ? configuration.SSL_PRIVATE_KEY_PASSWORD_SCRIPT : undefined;
      const command = script ?? own;
      return command === undefined
        ? undefined
        : { script: command, password: scripted ?? (() => passwordOf(command)) };
    },
    consumes: () => null,
  };
}
