import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from '../../core/account.ts';
import { childFailure } from '../../core/child-result.ts';
import { exists, sweep, syncDirectory, withStagingDirectory } from '../../core/files.ts';
import { run } from '../../core/process.ts';
import { reached } from '../../core/steps.ts';
import { stampTime } from '../../core/time.ts';
import { findPostgres } from '../binaries.ts';
import type { Cluster } from '../cluster.ts';
import { connectionString } from './conninfo.ts';
import type { Peer } from './node.ts';

/** How names begin of base copies that are not in place yet. */
const STAGING = '.join-';

/** The file by which PostgreSQL knows that it is to follow another server. */
export const STANDBY_SIGNAL = 'standby.signal';

/** Where a base copy comes from, and the slot there that keeps what it will need next. */
export interface Source {
  peer: Peer;
  slot: string;
  /** PostgreSQL's major version there, which must be this host's too. */
  major: number;
}

async function copy(cluster: Cluster, account: Account, { peer, slot, major }: Source, data: string) {
  const { directory } = await findPostgres(major);
  const from = ['-d', connectionString(cluster, peer, { application_name: 'ktadmin' }), '-w'];
  const how = ['-X', 'stream', '-S', slot, '-c', 'fast', '--manifest-checksums=SHA256'];
  const program = join(directory, 'pg_basebackup');
  const copied = await run(program, [...from, ...how, '-D', data], { home: account.home });
  if (copied.status !== 0) throw childFailure(program, copied);
  const verifier = join(directory, 'pg_verifybackup');
  const verified = await run(verifier, ['--exit-on-error', '--quiet', data], { home: account.home });
  if (verified.status !== 0) throw childFailure(verifier, verified);
}

/** What a base copy was put in the place of. */
export interface Replaced {
  /** Where the former data directory lies now; null where there was none. */
  former: string | null;
}

/**
 * Takes a copy of the other server's data directory by TLS, checks every byte of it against its manifest, and puts it in the
 * place of this one's, which is kept beside it. `before` is done once the copy is whole: it stops the server that runs here.
 */
export async function takeBaseCopy(
  cluster: Cluster,
  account: Account,
  source: Source,
  before: () => Promise<void>,
): Promise<Replaced> {
  await sweep(cluster.root, STAGING);
  return withStagingDirectory(cluster.root, STAGING, async (staging) => {
    const data = join(staging, 'data');
    await copy(cluster, account, source, data);
    await writeFile(join(data, STANDBY_SIGNAL), '', { mode: 0o600, flush: true });
    await syncDirectory(data);
    reached('copied');
    await before();
    reached('stopped');
    const former = (await exists(cluster.data)) ? `${cluster.data}.before-${stampTime(new Date())}` : null;
    if (former !== null) await rename(cluster.data, former);
    reached('moved');
    await rename(data, cluster.data);
    await syncDirectory(cluster.root);
    reached('placed');
    return { former };
  });
}
