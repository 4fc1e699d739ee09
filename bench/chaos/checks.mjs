// What must be so after a round.
import { get } from './load.mjs';
import { insist } from './shared.mjs';

/** Deposits of a client that are fetched again in later rounds; where there are two servers, a quarter of them, at both. */
const OLDER = 50;

/** Everything promised is there, at each of the servers. */
export async function checkPromises({ load, random, total, isLast }) {
  const each = async (client) => {
    const all = [...client.promised.keys()];
    const fresh = all.slice(client.checked ?? 0);
    const older = Array.from({ length: Math.min(OLDER / client.doors.length ** 2, all.length) }, () =>
      random.one(all),
    );
    for (const id of isLast ? all : [...fresh, ...older]) {
      for (const { library } of client.doors) {
        if (!(await get(client, id, total, library)))
          total.broken.push(`get ${id}: not at ${library.server} after the round`);
      }
    }
    client.checked = all.length;
  };
  await Promise.all(load.clients.map(each));
}

/** Everything promised is listed, and nothing twice: more than was promised is there only where an answer stayed away. */
export async function checkLists({ load, total }) {
  for (const client of load.clients) {
    const listed = new Set((await client.library.list()).map(({ id }) => id));
    const missing = [...client.promised.keys()].filter((id) => !listed.has(id));
    if (missing.length > 0) total.broken.push(`not listed: ${missing.join(' ')}`);
    if (listed.size > client.tried)
      total.broken.push(`${listed.size} deposits of ${client.tried} puts: something was stored twice`);
  }
}

export async function checkAudit({ place, total }) {
  const verified = await place.ktadmin(['audit', 'verify']);
  if (verified.status !== 0) total.broken.push(`audit verify: ${verified.stderr}${verified.stdout}`);
}

/** Lets the load rest, and checks; then the load goes on. */
export async function checkRound(round) {
  const { load, server, place } = round;
  if (!round.isLast) await load.pause();
  await server.heal();
  await insist('the database', () => place.ktadmin(['db', 'status']));
  try {
    await checkPromises(round);
    await checkLists(round);
    await checkAudit(round);
  } finally {
    if (round.isLast) load.close();
    else load.resume();
  }
}
