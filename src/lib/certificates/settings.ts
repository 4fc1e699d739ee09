import { readFile } from 'node:fs/promises';
import { parseConfigurationText } from '../core/configuration.ts';
import type { SettingChanges } from '../core/configuration-change.ts';
import { failure } from '../core/errors.ts';
import type { PairFiles } from '../tls/pair.ts';

/** The settings that name a certificate and its key: what a rotation changes, and nothing else. */
const SETTINGS = [
  'SSL_CERTIFICATE',
  'SSL_PRIVATE_KEY',
  'SSL_CA_CERTIFICATE',
  'SSL_PRIVATE_KEY_PASSWORD_SCRIPT',
] as const satisfies (keyof PairFiles)[];

/** The settings of a pair and no others, each as text or absent. */
export function pairSettings(raw: Partial<Record<keyof PairFiles, unknown>>): PairFiles {
  const found = SETTINGS.flatMap((name) => (typeof raw[name] === 'string' ? [[name, raw[name]]] : []));
  const files = Object.fromEntries(found) as Partial<PairFiles>;
  const { SSL_CERTIFICATE, SSL_PRIVATE_KEY } = files;
  if (SSL_CERTIFICATE !== undefined && SSL_PRIVATE_KEY !== undefined)
    return { ...files, SSL_CERTIFICATE, SSL_PRIVATE_KEY };
  throw failure('failed', 'SSL_CERTIFICATE and SSL_PRIVATE_KEY are not both set');
}

/** All four, those that are not set as undefined: what is to be written. */
export function changesFor(files: PairFiles): SettingChanges {
  return Object.fromEntries(SETTINGS.map((name) => [name, files[name]]));
}

/** Whether two say the same. */
export function isSame(one: PairFiles, other: PairFiles): boolean {
  return SETTINGS.every((name) => one[name] === other[name]);
}

/** Whether two name a file alike. */
export function overlap(one: Partial<PairFiles>, other: PairFiles): boolean {
  return SETTINGS.slice(0, 3).some((name) => one[name] !== undefined && one[name] === other[name]);
}

/** What a configuration file says of the pair now. */
export async function readPairSettings(path: string): Promise<PairFiles> {
  return pairSettings(parseConfigurationText(path, await readFile(path, 'utf8')));
}

/** Whether a pair has a file in a directory. */
export function liesIn(files: PairFiles, directory: string): boolean {
  return SETTINGS.slice(0, 3).some((name) => files[name]?.startsWith(`${directory}/`));
}
