import type { Database } from '../database/connection.ts';
import type { Node } from '../database/replication/node.ts';
import { type Pair, type PairNode, readNodes, readPair } from '../database/replication/pair.ts';

/** What this server knows of its pair. */
export interface Known {
  node: Node;
  isPassive: boolean;
  pair: Pair | undefined;
  /** The other server. */
  other: PairNode | undefined;
}

/** Reads what this server knows of its pair. */
export async function know(database: Database, node: Node): Promise<Known> {
  const { rows } = await database.query<{ passive: boolean }>('select pg_is_in_recovery() as passive');
  const nodes = await readNodes(database);
  const other = nodes.find(({ id }) => id !== node.id);
  return { node, isPassive: rows[0]?.passive === true, pair: await readPair(database), other };
}
