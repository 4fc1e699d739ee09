import { failure } from '../core/errors.ts';
import { DATABASE } from '../database/cluster.ts';
import type { Database } from '../database/connection.ts';

/** A passive server, as the active one sees it. Bytes and seconds are what it is behind. */
export interface Sender {
  /** The node that it says it is. */
  id: string;
  address: string | null;
  /** PostgreSQL's word: `startup`, `catchup`, `streaming`, `backup`, `stopping`. */
  state: string;
  /** PostgreSQL's word: `sync`, `quorum`, `potential`, `async`. */
  sync: string;
  /** Up to where it has applied the log. */
  replayed: string | null;
  writeBytes: number | null;
  flushBytes: number | null;
  replayBytes: number | null;
  /** How long the last change took to be applied there; 0 where it has everything. */
  seconds: number | null;
}

/** What the active server keeps of its log for a passive one. */
export interface Slot {
  name: string;
  active: boolean;
  retainedBytes: number | null;
  /** PostgreSQL's word: `reserved`, `extended`, `unreserved`, `lost`. */
  state: string | null;
}

/** What a passive server receives. */
export interface Receiver {
  /** PostgreSQL's word; `stopped` where nothing is received. */
  state: string;
  received: string | null;
  replayed: string | null;
  /** Seconds since the active server was last heard. */
  silentSeconds: number | null;
  /** Seconds by which what is read here may be old; 0 where all that came is applied, null where nothing comes. */
  delaySeconds: number | null;
}

/** What PostgreSQL says of its part in a pair. */
export interface Look {
  inRecovery: boolean;
  /** What its settings say it is; null of a server that was never prepared. */
  role: string | null;
  system: string;
  timeline: number;
  postgresql: string;
  /** When it was started. */
  started: Date;
  /** The node that has to have a change before it counts; null: none. */
  synchronous: string | null;
  /** The node that would have to, since when it is gone on without, and in which run of PostgreSQL; `<node> <time> <start>`. */
  degraded: string | null;
  /** Since when changes counted on it alone, as a fenced server says; null where they did not, or nobody knows. */
  aloneSince: string | null;
  /** The node that it is, as a passive server says. */
  passiveId: string | null;
  /** Whether it has the database of a server at all: where a join was cut off, it may have none. */
  hasDatabase: boolean;
  /** Where its log ends, or is applied. */
  position: string | null;
  senders: Sender[];
  slots: Slot[];
  receiver: Receiver | null;
}

/** The end of the log, which only a server that writes one has. */
const END = 'case when not pg_is_in_recovery() then pg_current_wal_lsn() end';

const setting = (name: string) => `nullif(current_setting('${name}', true), '')`;

const behind = (column: string) => `greatest(0, pg_wal_lsn_diff(here.position, ${column}))::float8`;

const SENDERS = `(select coalesce(json_agg(json_build_object(
    'id', application_name, 'address', host(client_addr), 'state', state, 'sync', sync_state, 'replayed', replay_lsn,
    'writeBytes', ${behind('write_lsn')}, 'flushBytes', ${behind('flush_lsn')}, 'replayBytes', ${behind('replay_lsn')},
    'seconds', case when replay_lsn >= here.position then 0 else extract(epoch from replay_lag)::float8 end
  ) order by application_name), '[]') from pg_stat_replication where application_name ~ '^kt[0-9a-f]{16}$')`;

const SLOTS = `(select coalesce(json_agg(json_build_object(
    'name', slot_name, 'active', active, 'retainedBytes', ${behind('restart_lsn')}, 'state', wal_status
  ) order by slot_name), '[]') from pg_replication_slots where slot_name ~ '^kt[0-9a-f]{16}$')`;

const RECEIVER = `case when pg_is_in_recovery() then (select json_build_object(
    'state', coalesce(max(status), 'stopped'),
    'received', coalesce(max(flushed_lsn), pg_last_wal_receive_lsn()), 'replayed', pg_last_wal_replay_lsn(),
    'silentSeconds', extract(epoch from clock_timestamp() - max(last_msg_receipt_time))::float8,
    'delaySeconds', case when max(status) is null then null when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
      else greatest(0, extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8) end
  ) from pg_stat_wal_receiver) end`;

const TIMELINE = `case when pg_is_in_recovery()
    then coalesce((select received_tli from pg_stat_wal_receiver), (select timeline_id from pg_control_checkpoint()))
    else ('x' || left(pg_walfile_name(here.position), 8))::bit(32)::int end`;

const LOOK = `
  select pg_is_in_recovery() as "inRecovery", ${setting('keytrustee.role')} as role,
    (select system_identifier::text from pg_control_system()) as system, ${TIMELINE} as timeline,
    split_part(current_setting('server_version'), ' ', 1) as postgresql, pg_postmaster_start_time() as started,
    trim(both '"' from ${setting('synchronous_standby_names')}) as synchronous, ${setting('keytrustee.degraded')} as degraded,
    ${setting('keytrustee.alone_since')} as "aloneSince", ${setting('primary_slot_name')} as "passiveId",
    exists (select from pg_database where datname = '${DATABASE}') as "hasDatabase",
    coalesce(here.position, pg_last_wal_replay_lsn()) as position,
    ${SENDERS} as senders, ${SLOTS} as slots, ${RECEIVER} as receiver
  from (select ${END} as position) as here`;

/** Asks PostgreSQL of its part in a pair, in one query, which the other server of the pair may ask too. */
export async function look(database: Pick<Database, 'query'>): Promise<Look> {
  const { rows } = await database.query<Look>(LOOK);
  const [row] = rows;
  if (row === undefined) throw failure('bug', 'the database gave no row');
  return row;
}
