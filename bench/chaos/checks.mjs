// What must be so after a round.
import { get } from './load.mjs';
import { insist } from './shared.mjs';

/** Deposits of a client that are fetched again in later rounds. */
const OLDER = 50;

async function checkPromises({ load, random, total, isLast }) {
  for (const client of load.clients) {
    const all = [...client.promised.keys()];
    const fresh = all.slice(client.checked ?? 0);
    const older = Array.from({ length: Math.min(OLDER, all.length) }, () => random.one(all));
    for (const id of isLast ? all : [...fresh, ...older]) {
      if (!(await get(client, id, total))) total.broken.push(`get ${id}: not there after the round`);
    }
    client.checked = all.length;
  }
}

/** Everything promised is listed, and nothing twice: more than was promised is there only where an answer stayed away. */
async function checkLists({ load, total }) {
  for (const client of load.clients) {
    const listed = new Set((await client.library.list()).map(({ id }) => id));
    const missing = [...client.promised.keys()].filter((id) => !listed.has(id));
    if (missing.length > 0) total.broken.push(`not listed: ${missing.join(' ')}`);
    if (listed.size > client.tried)
      total.broken.push(`${listed.size} deposits of ${client.tried} puts: something was stored twice`);
  }
}

async function checkAudit({ place, total }) {
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
