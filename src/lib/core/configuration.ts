import { readFile } from 'node:fs/promises';
import type { Account } from './account.ts';
import { confdirFiles, DEFAULT_DATABASE_PORT, DEFAULT_PORT } from './config.ts';
import { errorCode, failure } from './errors.ts';
import { lstatOrNothing, writeAtomically } from './files.ts';

/** What a value must be: in words, and as a check. A value that is missing is `fallback`, or wrong where there is none. */
interface Field {
  rule: string;
  accepts(value: unknown): boolean;
  fallback?: number;
  isOptional?: boolean;
}

function text(pattern: RegExp, rule: string): Field {
  return { rule, accepts: (value) => typeof value === 'string' && pattern.test(value) };
}

function port(fallback: number): Field {
  const isPort = (value: unknown) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;
  return { rule: 'must be a whole number from 1 to 65535, without quotes', accepts: isPort, fallback };
}

const absolutePath = text(/^\//, 'must be an absolute path');

/**
 * `keytrustee.conf`: one JSON object. `LOCAL_FINGERPRINT` and `SSL_*` are the original product's; `DB_PORT` is the name
 * its 3.x line had; `EXTERNAL_ADDRESS`, `PORT` and `PG_ROOTDIR` are our own, because the product's names are not public.
 * Every command reads it, so it is checked without a library, which would take a tenth of the time of `orgtool list`.
 */
export const configurationFields: Record<string, Field> = {
  LOCAL_FINGERPRINT: text(/^[0-9]+R\/[0-9A-F]{40}$/, 'must look like 4096R/<40 hex digits>'),
  EXTERNAL_ADDRESS: text(/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/, 'must be a host name'),
  PORT: port(DEFAULT_PORT),
  DB_PORT: port(DEFAULT_DATABASE_PORT),
  PG_ROOTDIR: absolutePath,
  SSL_CERTIFICATE: absolutePath,
  SSL_PRIVATE_KEY: absolutePath,
  SSL_PRIVATE_KEY_PASSWORD_SCRIPT: {
    ...text(/^.{1,4096}$/s, 'must be a command of 1 to 4096 characters'),
    isOptional: true,
  },
};

/** What `keytrustee.conf` says, with defaults filled in; keys that this version does not know are kept. */
export interface Configuration {
  [unknown: string]: unknown;
  LOCAL_FINGERPRINT: string;
  EXTERNAL_ADDRESS: string;
  PORT: number;
  DB_PORT: number;
  PG_ROOTDIR: string;
  SSL_CERTIFICATE: string;
  SSL_PRIVATE_KEY: string;
  SSL_PRIVATE_KEY_PASSWORD_SCRIPT?: string;
}

const MAXIMUM_SIZE = 1024 * 1024;

/** A configuration directory whose owner and modes have been found safe, and what its `keytrustee.conf` says. */
export interface Settings {
  confdir: string;
  account: Account;
  configuration: Configuration;
}

/** Reads `keytrustee.conf` as it is written, without looking at its values. */
export async function readRawConfiguration(confdir: string): Promise<Record<string, unknown>> {
  const path = confdirFiles(confdir).configuration;
  const stats = await lstatOrNothing(path);
  if (stats === undefined) {
    throw failure(
      'state',
      `${confdir} is not initialized: it has no keytrustee.conf`,
      `ktadmin init --confdir ${confdir}`,
    );
  }
  if (!stats.isFile() || stats.size > MAXIMUM_SIZE)
    throw failure('failed', `${path} is not a configuration file`);
  return parseConfigurationText(path, await readFile(path, 'utf8'));
}

/**
 * Parses the text of a `keytrustee.conf` into an object whose values have not been looked at. The parser's own words are
 * left out of the error: they quote the file, which may hold a password.
 */
export function parseConfigurationText(path: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw failure(
      'failed',
      `${path} is not JSON`,
      `python3 -m json.tool ${path} shows where; mend it, or take it out of a backup`,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw failure('failed', `${path} does not hold one JSON object`, 'mend it, or take it out of a backup');
  }
  return value as Record<string, unknown>;
}

/** Checks a configuration's values and fills in the defaults. */
export function parseConfiguration(path: string, raw: Record<string, unknown>): Configuration {
  const [first] = configurationFaults(raw);
  if (first !== undefined)
    throw failure('failed', `${path}: ${first}`, 'ktadmin config check lists every fault');
  const known = Object.entries(configurationFields)
    .map(([key, { fallback }]) => [key, raw[key] ?? fallback])
    .filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(known) as Configuration), ...raw };
}

/** Every wrong value of a configuration, one line each. The values are left out: one may be a secret. */
export function configurationFaults(raw: Record<string, unknown>): string[] {
  return Object.entries(configurationFields).flatMap(([key, field]) => {
    if (Object.hasOwn(raw, key)) return field.accepts(raw[key]) ? [] : [`${key} ${field.rule}`];
    if (field.fallback !== undefined || field.isOptional === true) return [];
    return [`${key} is missing: it ${field.rule}`];
  });
}

/** Keys that this version does not know: a misspelling, or another version's. */
export function unknownKeys(raw: Record<string, unknown>): string[] {
  return Object.keys(raw).filter((key) => !Object.hasOwn(configurationFields, key));
}

/** Writes `keytrustee.conf`, 4-space indented as the original product has it. */
export async function writeConfiguration(confdir: string, configuration: Configuration): Promise<void> {
  await writeAtomically(confdirFiles(confdir).configuration, `${JSON.stringify(configuration, null, 4)}\n`);
}

/** Reads and checks `keytrustee.conf`. */
export async function readConfiguration(confdir: string): Promise<Configuration> {
  try {
    return parseConfiguration(confdirFiles(confdir).configuration, await readRawConfiguration(confdir));
  } catch (error) {
    if (errorCode(error) === 'EACCES') {
      throw failure(
        'permission',
        `${confdirFiles(confdir).configuration} cannot be read`,
        `chown it to the owner of ${confdir}`,
      );
    }
    throw error;
  }
}

/** Where each value comes from. */
export async function configurationOrigins(
  confdir: string,
  configuration: Configuration,
): Promise<Record<string, { value: unknown; origin: 'file' | 'default' }>> {
  const raw = await readRawConfiguration(confdir);
  const entries = Object.entries(configuration).map(([key, value]) => {
    const origin: 'file' | 'default' = key in raw ? 'file' : 'default';
    return [key, { value, origin }] as const;
  });
  return Object.fromEntries(entries);
}
