// What goes wrong with a pair: one fault at a random moment, for a random time, while clients are stopped and let in again.
import { setTimeout as sleep } from 'node:timers/promises';
import { stopClient } from '../chaos/faults.mjs';
import { kill9 } from '../chaos/shared.mjs';

/** What was killed stays away for up to so long; milliseconds. */
const LONGEST_LOSS = 6000;
/** PostgreSQL takes five seconds to see that nobody answers; some cuts are shorter. */
const LONGEST_CUT = 9000;

function killDatabase(server) {
  const pid = server.postmaster();
  if (pid !== undefined) kill9(pid);
}

/** Does something to servers that nobody starts again for a while. */
async function lose(servers, random, strike) {
  for (const server of servers) server.hold();
  try {
    await Promise.all(servers.map(strike));
    await sleep(random.whole(0, LONGEST_LOSS));
  } finally {
    for (const server of servers) server.release();
  }
}

const loseDatabase =
  (number) =>
  ({ servers, random }) =>
    lose([servers[number]], random, killDatabase);
const loseServer =
  (number) =>
  ({ servers, random }) =>
    lose([servers[number]], random, (server) => server.killAll());

/** The faults by name; the first host is the active one. */
const FAULTS = {
  'postgres-active': loseDatabase(0),
  'postgres-passive': loseDatabase(1),
  'server-active': loseServer(0),
  'server-passive': loseServer(1),
  async link({ place, random }) {
    await place.pair.cutLink();
    await sleep(random.whole(200, LONGEST_CUT));
    await place.pair.healLink();
  },
  async disk({ place, random }) {
    const [, passive] = place.hosts;
    await passive.fillDisk(random.whole(0, 500_000));
    await sleep(random.whole(1000, LONGEST_LOSS));
    await passive.freeDisk();
  },
  both: ({ servers, random }) =>
    lose(servers, random, async (server) => {
      killDatabase(server);
      await server.killAll();
    }),
};

export const faultNames = Object.keys(FAULTS);

/** Whether a server goes on serving through a fault, so that no read may fail. */
export const readsGoOn = (fault) => fault !== 'both';

/** A fault, and a client that is stopped and let in again, each at its own moment. */
export async function hitPair(round, fault) {
  const { random } = round;
  const later = async (work) => {
    await sleep(random.whole(100, 2500));
    await work();
  };
  await Promise.all([later(() => FAULTS[fault](round)), later(() => stopClient(round))]);
}
