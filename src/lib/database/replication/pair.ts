import { errorCode } from '../../core/errors.ts';
import type { Database } from '../connection.ts';
import { REPLICATION_SCHEMA as SCHEMA } from './place.ts';

/** What both servers of a pair know of it. */
export interface Pair {
  /** Grows by one at each promotion: of two servers that both think they are active, the greater one is right. */
  epoch: number;
  /** The node that is active. */
  active: string;
  /** Whether a change counts only once the passive server has applied it. */
  sync: boolean;
  /** HA_WRITE_POLICY of the active server. */
  policy: string;
  changedAt: Date;
}

/** A server of a pair. */
export interface PairNode {
  id: string;
  host: string;
  port: number;
  httpsPort: number;
  fingerprint: string;
  version: string;
}

/** SQLSTATE of a schema or a table that is not there. */
const MISSING = new Set(['3F000', '42P01']);

const orNothing = (error: unknown) => {
  if (MISSING.has(errorCode(error) ?? '')) return { rows: [] };
  throw error;
};

/** The pair that a server belongs to; undefined where it is alone. The connection is to the database `postgres`. */
export async function readPair(database: Database): Promise<Pair | undefined> {
  const { rows } = await database
    .query<Omit<Pair, 'epoch'> & { epoch: string }>(
      `select epoch, active, sync, policy, changed_at as "changedAt" from ${SCHEMA}.pair`,
    )
    .catch(orNothing);
  const [row] = rows;
  return row === undefined ? undefined : { ...row, epoch: Number(row.epoch) };
}

/** The servers of the pair. */
export async function readNodes(database: Database): Promise<PairNode[]> {
  const { rows } = await database
    .query<PairNode>(
      `select id, host, port, https_port as "httpsPort", fingerprint, version from ${SCHEMA}.node order by joined_at`,
    )
    .catch(orNothing);
  return rows;
}

/** Writes what the pair is now. It is local: what says that the passive is not waited for must not wait for it. */
export async function writePair(database: Database, pair: Omit<Pair, 'changedAt'>): Promise<void> {
  await database.query('begin; set local synchronous_commit = local');
  try {
    await database.query(
      `insert into ${SCHEMA}.pair (epoch, active, sync, policy) values ($1, $2, $3, $4)
       on conflict (one) do update set epoch = excluded.epoch, active = excluded.active, sync = excluded.sync,
         policy = excluded.policy, changed_at = now()`,
      [pair.epoch, pair.active, pair.sync, pair.policy],
    );
    await database.query('commit');
  } catch (error) {
    await database.query('rollback').catch(() => undefined);
    throw error;
  }
}

/** Forgets the pair. It is local, as above. */
export async function removePair(database: Database): Promise<void> {
  await database.query(`begin; set local synchronous_commit = local; delete from ${SCHEMA}.pair; commit`);
}

/** The servers of the pair that follow this one now. */
export async function readFollowers(database: Database): Promise<PairNode[]> {
  const { rows } = await database.query<{ name: string }>(
    "select application_name as name from pg_stat_replication where state = 'streaming'",
  );
  const streaming = new Set(rows.map(({ name }) => name));
  return (await readNodes(database)).filter(({ id }) => streaming.has(id));
}

/** Tells the pair of a server; by the role of the other one too. */
export async function enrol(database: Database, node: PairNode): Promise<void> {
  await database.query(`select ${SCHEMA}.enrol($1, $2, $3, $4, $5, $6)`, [
    ...[node.id, node.host, node.port, node.httpsPort, node.fingerprint, node.version],
  ]);
}
