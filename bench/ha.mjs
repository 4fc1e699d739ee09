/**
 * What a passive server costs: puts of 2 KB on a server alone, with a passive server that follows, and with one that has applied each
 * change before it is acknowledged; by turns in one run, on one machine. Prints puts per second and the time of an answer as
 * medians, and as ratios to the server alone. It measures and never fails for being slow.
 *
 *   npm run bench:ha [-- --turns N] [--seconds N] [--quick]
 *
 * Both servers share this machine's processors and disk, and no network lies between them.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { median } from './backup/measure.mjs';
import { withPlace } from './backup/place.mjs';
import { makeClient, openSession } from './server/session.mjs';

const { values } = parseArgs({
  options: {
    turns: { type: 'string' },
    seconds: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});
const turns = Number(values.turns ?? (values.quick ? 1 : 7));
const seconds = Number(values.seconds ?? (values.quick ? 1 : 4));
const CONNECTIONS = [1, 50];
const SIZE = 2048;

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

function must(words, env, input) {
  const done = spawnSync(words[0], words.slice(1), { env, input, encoding: 'utf8', cwd: '/' });
  if (done.status !== 0) throw new Error(`${words.slice(1).join(' ')}: ${done.stderr}`);
  return done.stdout.trim();
}

/** No limit of rates, and a session that lasts. */
function configure(confdir, changes) {
  const path = join(confdir, 'keytrustee.conf');
  const settings = { ...JSON.parse(readFileSync(path, 'utf8')), ...changes };
  writeFileSync(path, JSON.stringify(settings));
}

/** A passive server beside the place's own, made by the documented steps. */
async function makePassive(place, databasePort) {
  const directory = join(place.env.HOME, 'p');
  const confdir = join(directory, '.keytrustee');
  must(place.stranger('mkdir', '-p', '-m', '700', confdir), place.env);
  must(['rsync', '-a', '--exclude', '.ssl', `${place.confdir}/`, confdir], place.env);
  configure(confdir, {
    EXTERNAL_ADDRESS: 'localhost',
    DB_PORT: await freePort(),
    PG_ROOTDIR: join(directory, 'db'),
  });
  const env = { ...place.env, KEYTRUSTEE_CONFDIR: confdir };
  const ktadmin = (...words) => must(place.ktadmin(...words), env);
  // Both servers are on this host, where the account of the copy is known.
  ktadmin('init', ...(process.getuid() === 0 ? ['--user', 'nobody'] : []));
  ktadmin('ha', 'join', '--active', `localhost:${databasePort}`);
  return ktadmin;
}

async function load(port, token, connections) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'server', 'load.mjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify({ port, token, connections, body: SIZE, seconds }));
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  const [status] = await once(child, 'close');
  if (status !== 0) throw new Error('the load failed');
  return JSON.parse(output);
}

/** Waits until the passive server has all that there is. */
async function caughtUp(psql) {
  const behind = `select count(*) from pg_stat_replication
    where application_name like 'kt%' and replay_lsn = pg_current_wal_lsn()`;
  while (psql(behind) !== '1') await sleep(50);
}

function report(connections, done) {
  console.log(
    `\nput a deposit of ${SIZE} bytes, ${connections} connections; load ${loadavg()[0].toFixed(1)}`,
  );
  const of = (results, key) => median(results.map((result) => result[key]));
  const base = [...done.values()][0];
  for (const [name, results] of done) {
    const cell = (key, unit, digits) => `${of(results, key).toFixed(digits)} ${unit}`.padStart(12);
    const ratio = (key) => (of(results, key) / of(base, key)).toFixed(2);
    const ratios = `rate ${ratio('rate')}  p50 ${ratio('p50')}  p99 ${ratio('p99')}`;
    console.log(
      `${name.padEnd(24)}${cell('rate', '/s', 0)}${cell('p50', 'ms', 2)}${cell('p99', 'ms', 2)}   ${ratios}`,
    );
  }
}

async function measure({ modes, port, token }) {
  for (const connections of CONNECTIONS) {
    const done = new Map(modes.map(({ name }) => [name, []]));
    for (let turn = 0; turn < turns; turn += 1)
      for (const mode of turn % 2 === 0 ? modes : modes.toReversed()) {
        await mode.begin();
        done.get(mode.name).push(await load(port, token, connections));
      }
    report(connections, done);
  }
}

await withPlace(0, async (place) => {
  const ktadmin = (...words) => must(place.ktadmin(...words), place.env);
  configure(place.confdir, {
    ...{
      RATE_LIMIT_CLIENT: 10_000_000,
      SESSION_SECONDS: 86_400,
      METRICS_PORT: 0,
      LISTEN_ADDRESS: '127.0.0.1',
    },
    ...{ MAIL_TRANSPORT: 'none' },
  });
  const psqlWords = place.stranger('psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', 'keytrustee');
  const psql = (sql) => must(psqlWords, place.env, sql);
  const client = await makeClient();
  psql(client.sql);
  const passive = await makePassive(place, place.env.PGPORT);
  const port = await freePort();
  const [node, ...words] = place.ktadmin('serve', '--port', String(port));
  const server = spawn(node, words, { env: place.env, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    let heard = '';
    server.stderr.on('data', (data) => (heard += data));
    while (!heard.includes('listening on')) await sleep(20);
    const token = await openSession(port, client);
    const follow = async () => {
      passive('db', 'start');
      await caughtUp(psql);
    };
    const modes = [
      {
        name: 'alone',
        async begin() {
          ktadmin('ha', 'sync', 'off');
          passive('db', 'stop');
        },
      },
      {
        name: 'a passive that follows',
        async begin() {
          ktadmin('ha', 'sync', 'off');
          await follow();
        },
      },
      {
        name: 'applied on both',
        async begin() {
          await follow();
          ktadmin('ha', 'sync', 'on');
        },
      },
    ];
    console.log(`Node ${process.versions.node}; medians of ${turns} turns of ${seconds} s each`);
    await measure({ modes, port, token });
  } finally {
    server.kill('SIGTERM');
    if (server.exitCode === null && server.signalCode === null) await once(server, 'close');
    passive('db', 'stop');
  }
});
