import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from '../core/account.ts';
import { childFailure } from '../core/child-result.ts';
import { failure } from '../core/errors.ts';
import { exists, sweep, syncDirectory, withStagingDirectory, writeAtomically } from '../core/files.ts';
import { run } from '../core/process.ts';
import { findPostgres } from './binaries.ts';
import { type Cluster, checkSocketPath, clusterExists, ROLE, refuseHalfRewound } from './cluster.ts';

/** A value of `postgresql.conf`, where a backslash escapes. */
const quoted = (value: string) => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** This host's settings. They lie outside the data directory, which a base backup or a rewind overwrites (hazard RP-9). */
function serverSettings(cluster: Cluster): string {
  return `# PostgreSQL of this Key Trustee Server. Made once by ktadmin init; edit freely, ktadmin db restart applies it.
data_directory = ${quoted(cluster.data)}
hba_file = ${quoted(join(cluster.root, 'pg_hba.conf'))}
ident_file = ${quoted(join(cluster.root, 'pg_ident.conf'))}
port = ${cluster.port}
listen_addresses = ''              # unix socket only; replication opens TCP
unix_socket_directories = ${quoted(`"${cluster.socketDirectory}"`)}
unix_socket_permissions = 0700
max_connections = 100
password_encryption = scram-sha-256
logging_collector = on
log_directory = ${quoted(cluster.logDirectory)}
log_filename = 'postgresql-%a.log'  # one file a day of the week
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
log_file_mode = 0600
log_line_prefix = '%m [%p] %q%u@%d '
log_parameter_max_length = 0        # values are keys and codes
log_parameter_max_length_on_error = 0
log_error_verbosity = terse         # details quote whole rows
`;
}

const HOST_RULES = `# Who may connect. The map is in pg_ident.conf.
local all         all peer map=keytrustee
local replication all peer map=keytrustee
`;

async function writeMissing(path: string, text: string): Promise<void> {
  if (!(await exists(path))) await writeAtomically(path, text);
}

/**
 * Makes the cluster, or what is missing of it: data checksums, UTF-8, peer authentication on a unix socket. A crash
 * leaves either no data directory or a complete one.
 */
export async function createCluster(cluster: Cluster, account: Account): Promise<void> {
  checkSocketPath(cluster);
  const { socketDirectory, logDirectory, root } = cluster;
  await mkdir(root, { recursive: true, mode: 0o700 });
  await mkdir(socketDirectory, { recursive: true, mode: 0o700 });
  await mkdir(logDirectory, { recursive: true, mode: 0o700 });
  await writeMissing(join(root, 'postgresql.conf'), serverSettings(cluster));
  await writeMissing(join(root, 'pg_hba.conf'), HOST_RULES);
  await writeMissing(
    join(root, 'pg_ident.conf'),
    `keytrustee "${account.name.replaceAll('"', '""')}" ${ROLE}\n`,
  );
  if (await clusterExists(cluster)) return;
  await refuseHalfRewound(cluster);
  await refuseLeftovers(cluster);
  await sweep(root, '.init-');
  const { directory } = await findPostgres();
  await withStagingDirectory(root, '.init-', async (staging) => {
    const data = join(staging, 'data');
    await makeData(join(directory, 'initdb'), data, account);
    await rename(data, cluster.data);
    await syncDirectory(root);
  });
}

async function refuseLeftovers({ data }: Cluster): Promise<void> {
  const names = await readdir(data).catch(() => []);
  if (names.length === 0) return;
  throw failure(
    'conflict',
    `${data} is not empty, and is no data directory of PostgreSQL (it has no PG_VERSION)`,
    'move it away, or restore it',
  );
}

async function makeData(initdb: string, data: string, account: Account): Promise<void> {
  const options = ['--auth-host=scram-sha-256', '--auth-local=peer', '--data-checksums'];
  const locale = ['-E', 'UTF8', '--locale=C.UTF-8'];
  const made = await run(initdb, ['-D', data, '-U', ROLE, ...options, ...locale], { home: account.home });
  if (made.status !== 0) throw childFailure(initdb, made);
}
