// What goes wrong in a round: processes are killed at random moments, and clients are stopped and let in again.
import { setTimeout as sleep } from 'node:timers/promises';
import { insist, kill9 } from './shared.mjs';

const KINDS = ['worker', 'server', 'postmaster', 'backend'];

const strike = {
  worker: ({ server, random }) => {
    const workers = server.workers();
    if (workers.length > 0) kill9(random.one(workers));
  },
  server: ({ server }) => server.killAll(),
  postmaster({ server }) {
    const pid = server.postmaster();
    if (pid !== undefined) kill9(pid);
  },
  backend: ({ server, random }) => {
    const backends = server.backends();
    if (backends.length > 0) kill9(random.one(backends));
  },
};

async function change(place, verb, client) {
  const words = ['orgtool', verb, '--fingerprint', client.fingerprint];
  await insist(verb, () => place.ktadmin(words));
}

/** What a stopped client is told by a server, in the session that it has there or in one that it would have to open. */
async function tryStopped({ doors }, random) {
  const { soon, reopen } = random.one(doors);
  const fresh = random.next() < 0.3 ? await reopen() : undefined;
  try {
    await (fresh ?? soon).list();
    return 'served';
  } catch (error) {
    return error.code;
  } finally {
    fresh?.close();
  }
}

/** Stops a client, tries it, and lets it in again. From the return of the command on it must not be served. */
export async function stopClient({ place, load, random, total }) {
  const client = random.one(load.clients);
  // Each state is an object of its own: whoever held another one before its request knows that it changed meanwhile.
  client.stop = { isStopped: false, isStopping: true };
  await change(place, 'disable-client', client);
  const stopped = { isStopped: true };
  client.stop = stopped;
  total.disabled += 1;
  const end = Date.now() + random.whole(200, 1500);
  while (Date.now() < end) {
    const told = await tryStopped(client, random);
    if (told !== 'permission' && told !== 'unreachable')
      total.broken.push(`list: client ${client.fingerprint} was stopped, and was told ${told}`);
    await sleep(20);
  }
  client.stop = { isStopped: false, isStopping: true };
  await change(place, 'enable-client', client);
  client.stop = { isStopped: false };
}

/** A round of faults; returns which. */
export async function breakThings(round) {
  const { random, total, server } = round;
  const count = random.whole(1, 3);
  const kinds = Array.from({ length: count }, () => random.one(KINDS));
  const killing = async () => {
    for (const kind of kinds) {
      await sleep(random.whole(100, 1500));
      await strike[kind](round);
      total.kills[kind] = (total.kills[kind] ?? 0) + 1;
    }
  };
  await Promise.all([killing(), stopClient(round)]);
  await server.heal();
  return kinds;
}
