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
  const others = (await readNodes(database)).filter(({ id }) => id !== node.id);
  const pair = await readPair(database);
  // A host that was lost and made anew came last.
  const other = others.find(({ id }) => id === pair?.active) ?? others.at(-1);
  return { node, isPassive: rows[0]?.passive === true, pair, other };
}
