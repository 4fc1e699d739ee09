import type { Database } from '../database/connection.ts';
import type { Node } from '../database/replication/node.ts';
import { type Pair, type PairNode, readNodes, readPair } from '../database/replication/pair.ts';

/** What this server knows of its pair. */
export interface Known {
  node: Node;
  isPassive: boolean;
  /** Whether it has followed the other one since its PostgreSQL was started; what happened there before is not known else. */
  hasFollowed: boolean;
  pair: Pair | undefined;
  /** The other server. */
  other: PairNode | undefined;
}

/** Reads what this server knows of its pair. */
export async function know(database: Database, node: Node): Promise<Known> {
  // A receiver that has not reached the other one yet names the beginning of a file of the log, before what is applied.
  const { rows } = await database.query<{ passive: boolean; followed: boolean }>(
    `select pg_is_in_recovery() as passive,
       coalesce(pg_last_wal_receive_lsn() >= pg_last_wal_replay_lsn(), false) as followed`,
  );
  const { passive: isPassive, followed: hasFollowed } = rows[0] ?? { passive: false, followed: false };
  const others = (await readNodes(database)).filter(({ id }) => id !== node.id);
  const pair = await readPair(database);
  // A host that was lost and made anew came last.
  const other = others.find(({ id }) => id === pair?.active) ?? others.at(-1);
  return { node, isPassive, hasFollowed, pair, other };
}
