import { addClient, type ClientState, setClientState } from '../../src/lib/clients/client.ts';
import { load } from '../../src/lib/core/lazy.ts';
import type { Recorder } from '../../src/lib/core/trail.ts';
import { clusterAt } from '../../src/lib/database/cluster.ts';
import { type Database, withDatabase } from '../../src/lib/database/connection.ts';
import { isRoot, type TestServer, world } from './sandbox.ts';

/**
 * Lends a connection to a test server's database. Its socket admits the service account alone, so that root takes that
 * account's identity for the connection and gives it back afterwards.
 */
export async function onDatabase<T>(
  server: TestServer,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  await load('pg');
  if (isRoot) {
    process.setegid?.(world.account.gid);
    process.seteuid?.(world.account.uid);
  }
  const giveBack = () => {
    if (!isRoot) return;
    process.seteuid?.(0);
    process.setegid?.(0);
  };
  try {
    return await withDatabase(clusterAt(server.pgRootdir, server.port), (database) => {
      giveBack();
      return work(database);
    });
  } finally {
    giveBack();
  }
}

/** Of what a test prepares there is no trail. */
const nobody: Recorder = {
  trail: { change: async () => undefined, note: async () => undefined },
  actor: { who: 'unknown', from: 'local' },
};

/** Adds a client to an organization as a registration will, and brings it into a state. */
export async function addTestClient(
  server: TestServer,
  organization: string,
  fingerprint: string,
  state: ClientState = 'pending',
): Promise<void> {
  await onDatabase(server, async (database) => {
    await addClient(database, {
      organization,
      fingerprint,
      name: `host-${fingerprint[0]}`,
      publicKey: 'a key',
    });
    if (state !== 'pending') await setClientState(database, fingerprint, 'active', nobody);
    if (state === 'disabled') await setClientState(database, fingerprint, 'disabled', nobody);
  });
}
