import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod/mini';
import type { Account } from './account.ts';
import { confdirFiles } from './config.ts';
import { configurationFields } from './configuration-fields.ts';
import { errorCode, failure } from './errors.ts';
import { lstatOrNothing, writeAtomically } from './files.ts';

const configurationSchema = z.looseObject(configurationFields);

/** What `keytrustee.conf` says, with defaults filled in; keys that this version does not know are kept. */
export type Configuration = z.infer<typeof configurationSchema>;

/** What a `keytrustee.conf` may look like: what has a default may be left out. */
export type WrittenConfiguration = z.input<typeof configurationSchema>;

const MAXIMUM_SIZE = 1024 * 1024;

/** A configuration directory whose owner and modes have been found safe, and what its `keytrustee.conf` says. */
export interface Settings {
  confdir: string;
  account: Account;
  configuration: Configuration;
}

/** Where the audit trail lies: beside the configuration, so that a restore does not put it back with it. */
export function auditDirectory(confdir: string, { AUDIT_DIR }: Pick<Configuration, 'AUDIT_DIR'>): string {
  return AUDIT_DIR ?? join(dirname(confdir), 'audit');
}

interface Issue {
  path: PropertyKey[];
  message: string;
}

/** One line on a wrong value. The value itself is left out: it may be a secret. */
function describeIssue({ path, message }: Issue, raw: Record<string, unknown>): string {
  // A fault of one value of a list is told of the list.
  const key = String(path[0]);
  return key in raw ? `${key} ${message}` : `${key} is missing: it ${message}`;
}

/** Reads `keytrustee.conf` as it is written, without looking at its values. */
export async function readRawConfiguration(confdir: string): Promise<Record<string, unknown>> {
  const path = confdirFiles(confdir).configuration;
  const stats = await lstatOrNothing(path);
  if (stats === undefined) {
    throw failure(
      'state',
      `${confdir} is not initialized: it has no keytrustee.conf`,
      `ktadmin init --confdir ${confdir}, or ktadmin restore FILE where a server was lost`,
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
  const parsed = configurationSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues.map((issue) => describeIssue(issue, raw));
  throw failure('failed', `${path}: ${first}`, 'ktadmin config check lists every fault');
}

/** Every wrong value of a configuration, one line each. */
export function configurationFaults(raw: Record<string, unknown>): string[] {
  const parsed = configurationSchema.safeParse(raw);
  return parsed.success ? [] : parsed.error.issues.map((issue) => describeIssue(issue, raw));
}

/** Keys that this version does not know: a misspelling, or another version's. */
export function unknownKeys(raw: Record<string, unknown>): string[] {
  return Object.keys(raw).filter((key) => !(key in configurationFields));
}

/** Writes `keytrustee.conf`, 4-space indented as the original product has it. */
export async function writeConfiguration(
  confdir: string,
  configuration: WrittenConfiguration,
): Promise<void> {
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
