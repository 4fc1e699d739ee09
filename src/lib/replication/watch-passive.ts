import type { Database } from '../database/connection.ts';
import type { Node } from '../database/replication/node.ts';
import { enrol, readNodes, readPair } from '../database/replication/pair.ts';
import { withPeer } from '../database/replication/peer.ts';
import { isSame } from '../database/replication/self.ts';
import { fenceGivenUp } from './given-up.ts';
import type { Look } from './look.ts';
import { NOTHING, readMemory, writeMemory } from './memory.ts';
import type { Watching } from './watching.ts';

/** Looks between two comparisons with the active server. */
const COMPARE_EVERY = 30;

/** Looks without the log of the active server that are not worth a line; it connects again by itself. */
const BRIEF = 3;

/** Looks without it after which the active server is asked whether it still knows this one. */
const ASK_EVERY = 5;

/** Watches the active server of a passive one. */
export interface PassiveWatch {
  tick(seen: Look, node: Node): Promise<void>;
}

/** How the active server differs in what must be the same on both; undefined where it does not. */
async function difference({ self }: Watching, database: Database, node: Node): Promise<string | undefined> {
  const { fingerprint, version } = self();
  const active = (await readPair(database))?.active;
  const nodes = (await readNodes(database)).filter(({ id }) => id !== node.id);
  const other = nodes.find(({ id }) => id === active) ?? nodes[0];
  if (other === undefined) return undefined;
  if (other.fingerprint !== fingerprint)
    return `its OpenPGP key is ${other.fingerprint}, and not ${fingerprint}`;
  return other.version === version ? undefined : `its version is ${other.version}, and not ${version}`;
}

/** Has the active server know what this one is now: it may be of another version than when it joined. */
async function enrolAgain({ cluster, self }: Watching, database: Database, node: Node): Promise<void> {
  const own = { id: node.id, ...self() };
  const known = (await readNodes(database)).find(({ id }) => id === node.id);
  if (node.peer === null || known === undefined || isSame(known, own)) return;
  await withPeer(cluster, node.peer, (active) => enrol(active, own));
}

/** Begins to watch. What an active server would remember is of no use any more. */
export async function startPassiveWatch(watching: Watching, database: Database): Promise<PassiveWatch> {
  const { log, cluster } = watching;
  if ((await readMemory(cluster)).away !== null) await writeMemory(cluster, NOTHING);
  let silent = 0;
  let ticks = 0;
  let said: string | undefined;

  function hear(isHeard: boolean, active: string | undefined): void {
    if (isHeard && silent >= BRIEF) log.info({ active }, 'replication goes on');
    silent = isHeard ? 0 : silent + 1;
    if (silent === BRIEF)
      log.warn({ active }, 'replication has stopped: nothing comes from the active server');
  }

  async function compare(node: Node): Promise<void> {
    const found = await difference(watching, database, node);
    if (found !== undefined && found !== said)
      log.error({ active: node.peer?.host }, `the active server is not as this one: ${found}`);
    said = found;
    await enrolAgain(watching, database, node);
  }

  return {
    async tick({ receiver }, node) {
      const isHeard = receiver?.state === 'streaming';
      hear(isHeard, node.peer?.host);
      if (silent > 0 && silent % ASK_EVERY === 0) await fenceGivenUp(watching, node);
      if (isHeard && ticks++ % COMPARE_EVERY === 0) await compare(node);
    },
  };
}
