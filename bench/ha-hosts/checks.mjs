// What must be so after a fault of a pair.
import { checkAudit, checkLists, checkPromises } from '../chaos/checks.mjs';
import { settle } from '../chaos/load.mjs';
import { until } from '../chaos/shared.mjs';

const IN_SYNC = `select count(*) from pg_stat_replication
  where state = 'streaming' and sync_state in ('sync', 'quorum') and replay_lsn >= pg_current_wal_lsn()`;

/** Everything runs, and the passive has all that the active has. */
async function heal({ place, servers }) {
  await Promise.all(servers.map((server) => server.heal()));
  const inSync = async () => (await place.hosts[0].query(IN_SYNC)).trim() === '1';
  await until(inSync, 'the passive has everything again');
}

/** Nothing of which a client was told that it was not written is in a database, and all that was promised is. */
async function checkDatabase(host, { load, total }) {
  const told = await host.query('select handle from deposit where handle is not null');
  const there = new Set(told.trim().split('\n'));
  for (const client of load.clients) {
    for (const handle of client.refused)
      if (there.has(handle)) total.broken.push(`${handle} was refused, and is on ${host.name}`);
    for (const { handle } of client.promised.values())
      if (!there.has(handle)) total.broken.push(`${handle} was promised, and is not on ${host.name}`);
  }
}

/** Lets the load rest, heals, and checks; then the load goes on. */
export async function checkPair(round) {
  const { load, place, total } = round;
  if (!round.isLast) await load.pause();
  total.mustRead = true;
  try {
    await heal(round);
    await Promise.all(load.clients.map((client) => settle(client, total)));
    await checkPromises(round);
    await checkLists(round);
    const checkHost = (host) => Promise.all([checkDatabase(host, round), checkAudit({ place: host, total })]);
    await Promise.all(place.hosts.map(checkHost));
  } finally {
    if (round.isLast) load.close();
    else load.resume();
  }
}
