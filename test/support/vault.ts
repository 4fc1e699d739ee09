/** The functions on deposits with the database of a test server, without HTTPS, and what they write into the audit trail. */
import { createHash, randomBytes } from 'node:crypto';
import { load } from '../../src/lib/core/lazy.ts';
import type { Room } from '../../src/lib/core/room.ts';
import type { AuditEvent } from '../../src/lib/core/trail.ts';
import { clusterAt } from '../../src/lib/database/cluster.ts';
import { openPool } from '../../src/lib/database/pool.ts';
import type { Owner, Vault } from '../../src/lib/deposits/deposit.ts';
import type { Wanted } from '../../src/lib/deposits/put.ts';
import { isRoot, type TestServer, world } from './sandbox.ts';

/** A vault of one connection, with the events that it noted. */
export type TestVault = Vault & { room: Room; events: AuditEvent[] };

/**
 * Lends a vault to `work`. The database admits the service account alone: root takes that account's identity while the
 * connection is made. A host and port other than the server's own lead to it through a test's proxy.
 */
export async function withVault<T>(
  server: TestServer,
  work: (vault: TestVault) => Promise<T>,
  socketDirectory?: string,
): Promise<T> {
  await load('pg');
  const cluster = clusterAt(server.pgRootdir, server.port);
  const pool = await openPool(socketDirectory === undefined ? cluster : { ...cluster, socketDirectory }, 1);
  const events: AuditEvent[] = [];
  const note = async (event: AuditEvent) => void events.push(event);
  try {
    if (isRoot) {
      process.setegid?.(world.account.gid);
      process.seteuid?.(world.account.uid);
    }
    const first = pool.connect();
    await first.finally(() => {
      if (!isRoot) return;
      process.seteuid?.(0);
      process.setegid?.(0);
    });
    (await first).release();
    return await work({
      pool,
      reader: { query: (statement) => pool.query(statement), waiting: () => 0, end: async () => undefined },
      trail: { change: note, note },
      room: { places: { database: '/', audit: '/' }, has: async () => true },
      events,
    });
  } finally {
    await pool.end();
  }
}

/** The owner of a client's deposits, by the number of its row. */
export const ownerOf = (fingerprint: string): Owner => ({
  fingerprint,
  actor: { who: 'client:TEST', from: '192.0.2.1' },
});

/** A deposit as a client wants it; each has a key of its own. */
export function wanted(text: string, more: Partial<Wanted> = {}): Wanted {
  const content = Buffer.from(text);
  const sha256 = createHash('sha256').update(content).digest();
  const key = randomBytes(16).toString('hex');
  return { content, sha256, key, handle: null, ttl: null, retrievals: null, ...more };
}
