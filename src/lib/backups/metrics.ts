import { explain, KeyTrusteeError } from '../core/errors.ts';
import { readSmallFile, replaceFile } from '../core/files.ts';
import { load } from '../core/lazy.ts';
import type { Reporter } from '../core/reporter.ts';
import { unusableReason, usableUntil } from '../gpg/listing.ts';
import { findKeys } from '../gpg/recipients.ts';
import { LOGGER } from './logger.ts';
import { type SetPlace, surveySets } from './survey.ts';

const PREFIX = 'keytrustee_backup_';

/** The metrics, and what each says. Times are seconds since 1970. */
const HELP = {
  last_success_timestamp_seconds: 'When the last backup succeeded; a failure leaves it as it is.',
  last_attempt_timestamp_seconds: 'When the last backup ended, well or not.',
  last_attempt_success: 'Whether that one succeeded: 1 or 0.',
  age_seconds: 'Age of the newest good set when this file was written.',
  size_bytes: 'Size of the newest good set.',
  verified_sets: 'Number of sets that were found good and not touched since.',
  recipient_expiry_timestamp_seconds: 'Until when a recipient can be encrypted to.',
} as const;

type Metric = keyof typeof HELP;

/** What is measured; of the expiry, a value for each recipient by its fingerprint. */
interface Measured {
  values: Map<Metric, number>;
  expiry: Map<string, number>;
}

const LIMIT = 1024 * 1024;
const LINE = /^keytrustee_backup_([a-z_]+)(?:\{fingerprint="([0-9A-F]{40})"\})? (\S+)$/;

/** What the last run wrote: what this one cannot find out stays as it was. Damaged lines count for nothing. */
async function readEarlier(file: string): Promise<Measured> {
  const text = await readSmallFile(file, LIMIT).catch(() => undefined);
  const earlier: Measured = { values: new Map(), expiry: new Map() };
  for (const line of text?.split('\n') ?? []) {
    const [, name = '', fingerprint, written = ''] = LINE.exec(line) ?? [];
    const value = written === '+Inf' ? Number.POSITIVE_INFINITY : Number(written);
    if (!(name in HELP) || Number.isNaN(value)) continue;
    if (fingerprint !== undefined) earlier.expiry.set(fingerprint, value);
    else earlier.values.set(name as Metric, value);
  }
  return earlier;
}

async function render({ values, expiry }: Measured): Promise<string> {
  const { Gauge, Registry } = await load('promClient');
  const registry = new Registry();
  for (const [name, help] of Object.entries(HELP) as [Metric, string][]) {
    const labelNames = name === 'recipient_expiry_timestamp_seconds' ? ['fingerprint'] : [];
    const value = values.get(name);
    if (value === undefined && labelNames.length === 0) continue;
    const gauge = new Gauge({ name: PREFIX + name, help, labelNames, registers: [registry] });
    if (value !== undefined) gauge.set(value);
    for (const [fingerprint, end] of labelNames.length === 0 ? [] : expiry) gauge.set({ fingerprint }, end);
  }
  return registry.metrics();
}

/** What was asked for, as far as it is measured. */
interface Request {
  file: string;
  place: SetPlace;
  recipients: string[];
  gnupgHome: string;
}

async function measureExpiry({ recipients, gnupgHome }: Request): Promise<Map<string, number>> {
  const expiry = new Map<string, number>();
  for (const name of recipients) {
    const keys = await findKeys(gnupgHome, name);
    const usable = keys.filter((key) => unusableReason(key) === undefined);
    for (const key of usable.length > 0 ? usable : keys)
      expiry.set(key.fingerprint, (usableUntil(key)?.getTime() ?? Number.POSITIVE_INFINITY) / 1000);
  }
  return expiry;
}

async function measureSets(place: SetPlace, now: number): Promise<Map<Metric, number>> {
  const { sets } = await surveySets(place);
  const good = sets.filter(({ state }) => state === 'good');
  const values = new Map<Metric, number>([['verified_sets', good.length]]);
  const newest = good.find(({ order }) => order !== undefined && Date.parse(order.created) <= now * 1000);
  if (newest?.order === undefined) return values;
  const created = Date.parse(newest.order.created) / 1000;
  return values
    .set('last_success_timestamp_seconds', created)
    .set('age_seconds', now - created)
    .set('size_bytes', newest.size);
}

async function writeMetrics(request: Request, succeeded: boolean): Promise<void> {
  const now = Date.now() / 1000;
  const earlier = await readEarlier(request.file);
  // A run that was interrupted starts no program any more; then only the age has become untrue.
  const sets = await measureSets(request.place, now).catch(() => undefined);
  const expiry = await measureExpiry(request).catch(() => earlier.expiry);
  const values = new Map(sets ?? earlier.values);
  if (sets === undefined) values.delete('age_seconds');
  const times = [earlier.values, values].map((from) => from.get('last_success_timestamp_seconds') ?? 0);
  const last = succeeded ? now : Math.max(...times.filter((time) => time <= now), 0);
  values.delete('last_success_timestamp_seconds');
  if (last > 0) values.set('last_success_timestamp_seconds', last);
  values.set('last_attempt_timestamp_seconds', now).set('last_attempt_success', succeeded ? 1 : 0);
  await replaceFile(request.file, await render({ values, expiry }), 0o644);
}

/**
 * Makes a backup and writes what came of it for Prometheus, also when it fails. A file that cannot be written is a warning:
 * it never makes a good backup a failed one. A run that met another one writes nothing: the other one will.
 */
export async function withMetrics<T>(
  request: Request,
  reporter: Reporter,
  work: () => Promise<T>,
): Promise<T> {
  const write = (succeeded: boolean) =>
    writeMetrics(request, succeeded).catch((error: unknown) => {
      const why = explain(error).message;
      reporter.log(LOGGER, 'WARNING', `The metrics in ${request.file} could not be written: ${why}`);
    });
  let result: T;
  try {
    result = await work();
  } catch (error) {
    if (!(error instanceof KeyTrusteeError && error.code === 'locked')) await write(false);
    throw error;
  }
  await write(true);
  return result;
}
