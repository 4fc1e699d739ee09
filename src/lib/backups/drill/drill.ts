import type { Account } from '../../core/account.ts';
import { failure, KeyTrusteeError, type StatusName } from '../../core/errors.ts';
import { checkInterruption } from '../../core/interrupt.ts';
import type { Reporter } from '../../core/reporter.ts';
import { reached } from '../../core/steps.ts';
import { DATABASE } from '../../database/cluster.ts';
import { withDatabase } from '../../database/connection.ts';
import { countRows } from '../../database/dump.ts';
import { migrate } from '../../database/migrations.ts';
import { checkServerKey, extractConfdir } from '../restore/confdir.ts';
import type { SetContents } from '../restore/contents.ts';
import { loadDatabase } from '../restore/database.ts';
import { checkTables } from '../restore/digests.ts';
import { checkOrigin, type Pin } from '../verify/pin.ts';
import type { DrilledFile } from './file.ts';
import { refuseLive, type Scratch, withScratch } from './scratch.ts';
import type { Stopwatch } from './stopwatch.ts';

/** What is drilled, and where. */
export interface DrillRequest {
  file: DrilledFile;
  pin: Pin;
  account: Account;
  /** Where the scratch directory is made. */
  place: string;
}

/** What a drill has shown. `seconds` are what a restore would take, `times` each part of it. */
export interface Evidence {
  set: string;
  size: number;
  sha256: string;
  drilled: string;
  created: string | null;
  sequence: number | null;
  host: string | null;
  fingerprint: string | null;
  rows: Record<string, number>;
  /** SHA-256 of each table that was copied out again and found the same. */
  digests: Record<string, string>;
  migrations: string[];
  times: Record<string, number>;
  seconds: number;
  verdict: 'passed' | 'failed';
  failure: { code: StatusName; message: string; hint: string | null } | null;
}

/** Origin first: a dump is code that runs as whoever loads it (hazard PG-13). */
function refuseStrangers(contents: SetContents, pin: Pin): void {
  const origin = checkOrigin(pin, contents.manifest);
  if (origin.outcome === 'failed')
    throw failure('untrusted', origin.detail, 'give its fingerprint: --fingerprint FP');
  if (origin.outcome !== 'ok') throw failure('state', `whose set it is cannot be known: ${origin.detail}`);
}

/** Everything that a restore does, and what shows that it is good. */
async function rehearse(
  contents: SetContents,
  { cluster, confdir }: Scratch,
  { account }: DrillRequest,
  watch: Stopwatch,
  evidence: Evidence,
): Promise<void> {
  watch.lap('cluster');
  await extractConfdir(contents, confdir);
  await checkServerKey(confdir, contents.manifest.fingerprint);
  reached('drill-extracted');
  watch.lap('configuration');
  checkInterruption();
  await loadDatabase(cluster, account, DATABASE, contents);
  reached('drill-loaded');
  watch.lap('load');
  // A restore does without: its data has come through unchanged if PostgreSQL did what it was told.
  evidence.digests = await checkTables(cluster, account, DATABASE, contents);
  watch.discard();
  evidence.rows = await withDatabase(cluster, countRows);
  evidence.migrations = await migrate(cluster);
  reached('drill-checked');
  watch.lap('checks');
}

function describe(contents: SetContents, evidence: Evidence): void {
  const { created, sequence, host, fingerprint } = contents.manifest;
  Object.assign(evidence, { created, sequence, host, fingerprint });
}

function begin({ file }: DrillRequest): Evidence {
  const nothing = { created: null, sequence: null, host: null, fingerprint: null };
  const results = { rows: {}, digests: {}, migrations: [], times: {}, seconds: 0 };
  return {
    ...file,
    drilled: new Date().toISOString(),
    ...nothing,
    ...results,
    verdict: 'passed',
    failure: null,
  };
}

/**
 * Restores a set into a cluster and a directory of its own, compares what is there then with what the server said of it,
 * and takes everything away again. Returns the evidence, also of a set that did not come back.
 */
export async function drillSet(
  read: () => Promise<SetContents>,
  request: DrillRequest,
  watch: Stopwatch,
  reporter: Reporter,
): Promise<Evidence> {
  const evidence = begin(request);
  try {
    const contents = await read();
    watch.lap('verify');
    describe(contents, evidence);
    refuseStrangers(contents, request.pin);
    await refuseLive(request.place, [contents.manifest.confdir, contents.configuration.PG_ROOTDIR]);
    await reporter.step('restoring into a scratch database', () =>
      withScratch(request.place, request.account, (scratch) =>
        rehearse(contents, scratch, request, watch, evidence),
      ),
    );
  } catch (error) {
    if (!(error instanceof KeyTrusteeError)) throw error;
    const { code, message, hint = null } = error;
    Object.assign(evidence, { verdict: 'failed', failure: { code, message, hint } });
  }
  return { ...evidence, ...watch.read() };
}
