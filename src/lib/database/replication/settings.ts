import { readFile } from 'node:fs/promises';
import { errorCode } from '../../core/errors.ts';
import { writeAtomically } from '../../core/files.ts';
import type { Cluster } from '../cluster.ts';
import { connectionString } from './conninfo.ts';
import type { Node } from './node.ts';
import { replicationFiles } from './place.ts';

/** A value of `postgresql.conf`. */
const quoted = (value: string) => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** What PostgreSQL is told beside who the host is. */
export interface ReplicationTerms {
  /** The node that has to have applied a change before it counts; null: this server alone decides. */
  synchronous: string | null;
  /**
   * The node that would have to, since when this server goes on without it, because HA_WRITE_POLICY has it so, and in which run
   * of PostgreSQL (its start).
   */
  degraded?: { passive: string; since: Date; run: Date };
}

/** The same on both servers. Limits are short: who waits for a dead passive waits for these first (hazard RP-7). */
const COMMON = `listen_addresses = '*'              # pg_hba.conf lets in the other server's certificate alone
ssl = on                            # its files are named on PostgreSQL's command line
ssl_min_protocol_version = 'TLSv1.3'
wal_level = replica
max_wal_senders = 10
max_replication_slots = 10
max_slot_wal_keep_size = '8GB'      # what a passive that is away may hold back of the log
wal_sender_timeout = '5s'
wal_receiver_timeout = '5s'
wal_receiver_status_interval = '1s'
wal_retrieve_retry_interval = '1s'
tcp_keepalives_idle = 5
tcp_keepalives_interval = 2
tcp_keepalives_count = 3
hot_standby = on
hot_standby_feedback = on
max_standby_streaming_delay = '5s'  # a commit waits for the passive to apply it
synchronous_commit = remote_apply
`;

function ownLines(cluster: Cluster, node: Node, { synchronous, degraded }: ReplicationTerms): string {
  const lines = [`keytrustee.role = ${quoted(node.role)}`];
  if (node.role === 'fenced') lines.push('default_transaction_read_only = on');
  // The other server, which goes on without, asks PostgreSQL for it.
  if (node.role === 'fenced' && typeof node.aloneSince === 'string')
    lines.push(`keytrustee.alone_since = ${quoted(node.aloneSince)}`);
  lines.push(`synchronous_standby_names = ${quoted(synchronous === null ? '' : `"${synchronous}"`)}`);
  if (degraded !== undefined) {
    const { passive, since, run } = degraded;
    lines.push(`keytrustee.degraded = '${passive} ${since.toISOString()} ${run.toISOString()}'`);
  }
  if (node.role === 'passive' && node.peer !== null) {
    const conninfo = connectionString(cluster, node.peer, { application_name: node.id });
    lines.push(`primary_conninfo = ${quoted(conninfo)}`, `primary_slot_name = ${quoted(node.id)}`);
    lines.push("recovery_target_timeline = 'latest'");
  }
  return `${lines.join('\n')}\n`;
}

/** Writes what PostgreSQL is to be in its pair; a reload or a start applies it. Returns whether that changed anything. */
export async function writeReplicationSettings(
  cluster: Cluster,
  node: Node,
  terms: ReplicationTerms = { synchronous: null },
): Promise<boolean> {
  const path = replicationFiles(cluster).settings;
  const text = `# Written by ktadmin for the pair of servers; changes are overwritten.\n${COMMON}${ownLines(cluster, node, terms)}`;
  const before = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (before === text) return false;
  await writeAtomically(path, text);
  return true;
}
