import { createPrivateKey, type KeyObject } from 'node:crypto';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { type Checked, checkFiles } from '../certificates/check.ts';
import { type GivenFile, readGiven } from '../certificates/given.ts';
import { readPending } from '../certificates/pending.ts';
import { confdirFiles } from '../core/config.ts';
import type { Settings } from '../core/configuration.ts';
import { counted } from '../core/counted.ts';
import { failure } from '../core/errors.ts';
import { shellWord } from '../core/quote.ts';
import type { Fault } from '../tls/fault.ts';
import type { PasswordSource } from '../tls/material.ts';
import { readKey } from '../tls/pair.ts';
import { passwordOf, passwordWarning } from '../tls/password.ts';
import { GIVEN_WORDS, SETTINGS_WORDS } from '../tls/words.ts';
import { passwordPrompt } from './prompts.ts';
import type { Terminal } from './terminal.ts';

/** The files that somebody wants to be looked at, as the caller read them. */
export interface HandedFiles {
  cert: GivenFile | undefined;
  key: GivenFile | undefined;
  ca: GivenFile | undefined;
  password: GivenFile | undefined;
}

/** What else was said of them. */
export interface CheckValues {
  host: string | undefined;
  inPlace: boolean;
  passwordScript: string | undefined;
}

const OWN_SCRIPT = 'set SSL_PRIVATE_KEY_PASSWORD_SCRIPT to a command that prints it';

/** Looks at what keytrustee.conf names, as the service account reads it. */
export async function checkOwn(
  { confdir, account, configuration }: Settings,
  host = configuration.EXTERNAL_ADDRESS,
): Promise<Checked> {
  const { SSL_CERTIFICATE, SSL_PRIVATE_KEY, SSL_CA_CERTIFICATE } = configuration;
  const script = configuration.SSL_PRIVATE_KEY_PASSWORD_SCRIPT;
  const checked = await checkFiles(
    {
      certificate: await readGiven(SSL_CERTIFICATE),
      key: await readGiven(SSL_PRIVATE_KEY),
      authorities: SSL_CA_CERTIFICATE === undefined ? undefined : await readGiven(SSL_CA_CERTIFICATE),
    },
    {
      ...{ host, protocol: configuration },
      words: host === configuration.EXTERNAL_ADDRESS ? SETTINGS_WORDS : { ...SETTINGS_WORDS, host: '' },
      password: script === undefined ? undefined : () => passwordOf(script),
    },
    { account, private: confdirFiles(confdir).ssl },
  );
  const open = passwordWarning(script).map(
    (message): Fault => ({
      code: 'password-script',
      message,
      hint: 'set SSL_PRIVATE_KEY_PASSWORD_SCRIPT to cat and the path of that file',
    }),
  );
  const faults = checked.faults.map((fault) =>
    fault.code === 'password-needed' ? { ...fault, hint: OWN_SCRIPT } : fault,
  );
  return { ...checked, faults, warnings: [...checked.warnings, ...open] };
}

/** Keys that are there already: a certificate can come without one. */
async function spareKeys({ confdir, configuration }: Settings): Promise<KeyObject[]> {
  const inUse = await readKey(configuration).catch(() => undefined);
  const { key } = await readPending(confdirFiles(confdir).ssl).catch(() => ({ key: undefined }));
  try {
    const pending = key?.data === undefined ? [] : [createPrivateKey(Buffer.from(key.data, 'base64'))];
    return inUse === undefined ? pending : [inUse, ...pending];
  } catch {
    return inUse === undefined ? [] : [inUse];
  }
}

/** The password that a file holds, on its one line. */
export function passwordIn({ path, data, fault }: GivenFile): string {
  if (fault !== undefined) throw failure('failed', fault.message, fault.hint);
  const text = Buffer.from(data ?? '', 'base64').toString();
  const password = text.replace(/\r?\n$/, '');
  if (password !== '' && !/[\r\n\0]/.test(password)) return password;
  throw failure('failed', `${path} must hold the password alone, on one line`, 'write it there again');
}

function sourceOf(
  { password }: HandedFiles,
  { passwordScript: script }: CheckValues,
  terminal: Terminal,
): PasswordSource | undefined {
  if (password !== undefined) return async () => passwordIn(password);
  if (script !== undefined) return () => passwordOf(script, GIVEN_WORDS);
  return passwordPrompt(terminal);
}

/** The password's file is read by the server, too, whenever it starts. */
async function passwordFaults({ password }: HandedFiles, { account }: Settings): Promise<Fault[]> {
  if (password === undefined || password.fault !== undefined) return [];
  const isReadable = await access(password.path, constants.R_OK).then(
    () => true,
    () => false,
  );
  const hint = `the server reads it whenever it starts: chown ${account.name} ${shellWord(password.path)}`;
  const message = `${password.path} cannot be read by ${account.name}`;
  return isReadable ? [] : [{ code: 'service-account', message, hint }];
}

/** Looks at files that somebody wants to put to use. */
export async function checkHanded(
  files: HandedFiles & { cert: GivenFile },
  values: CheckValues,
  settings: Settings,
  terminal: Terminal,
): Promise<Checked> {
  const { configuration, account } = settings;
  const { cert: certificate, key, ca: authorities } = files;
  const checked = await checkFiles(
    { certificate, key, authorities },
    {
      host: values.host ?? configuration.EXTERNAL_ADDRESS,
      protocol: configuration,
      words: values.host === undefined ? { ...GIVEN_WORDS, host: SETTINGS_WORDS.host } : GIVEN_WORDS,
      password: sourceOf(files, values, terminal),
      spareKeys: key === undefined ? await spareKeys(settings) : [],
    },
    values.inPlace ? { account } : undefined,
  );
  return { ...checked, faults: [...checked.faults, ...(await passwordFaults(files, settings))] };
}

const lines = (faults: Fault[]) =>
  faults.map(({ message, hint }) => `  ${message}${hint === '' ? '' : `\n    ${hint}`}`).join('\n');

/** Prints what was found. Faults are an error of the command. */
export async function printChecked(checked: Checked, terminal: Terminal): Promise<void> {
  const { faults, warnings, subject, names, notAfter, fingerprint } = checked;
  for (const { message, hint } of warnings) terminal.warn(`${message}\n  ${hint}`);
  const count = [
    faults.length === 0 ? 'no faults' : counted(faults.length, 'fault'),
    ...(warnings.length === 0 ? [] : [counted(warnings.length, 'warning')]),
  ].join(', ');
  if (faults.length > 0)
    throw failure('untrusted', `the certificate cannot be used:\n${lines(faults)}\n${count}`);
  terminal.notice(count);
  const facts = [
    ['subject', subject],
    ['names', names.join(', ')],
    ['valid until', `${notAfter} (${counted(checked.daysLeft ?? 0, 'day')} left)`],
    ['SHA-256', fingerprint],
  ];
  await terminal.write(`${facts.map(([name, value]) => `${name}: ${value}`).join('\n')}\n`);
}
