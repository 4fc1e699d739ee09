/**
 * The server under load against a bare `node:https` that does the same indexed look-up through `pg`: the same database, the
 * same certificate, the same number of connections, by turns in one run. Fifty TLS 1.3 connections that stay open get
 * deposits of 2 KB at random, then put some. Prints requests per second, the time of an answer and the server process's own
 * processor time for one, as medians and as ratios to the bare server. It measures and never fails for being slow.
 *
 *   npm run bench:server [-- --deposits 1000,100000,1000000] [--turns N] [--seconds N] [--quick] [--profile DIR]
 *
 * `--quick` only shows that all of it works; `--profile` writes a profile of `ktadmin serve` (node --cpu-prof).
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { median } from './backup/measure.mjs';
import { withPlace } from './backup/place.mjs';
import { makeClient, openSession } from './server/session.mjs';

const { values } = parseArgs({
  options: {
    deposits: { type: 'string' },
    turns: { type: 'string' },
    seconds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
});
const sizes = (values.deposits ?? (values.quick ? '200' : '1000,100000,1000000')).split(',').map(Number);
const turns = Number(values.turns ?? (values.quick ? 1 : 7));
const seconds = Number(values.seconds ?? (values.quick ? 1 : 4));
const CONNECTIONS = 50;
const SIZE = 2048;
/** Deposits that are asked for, taken evenly out of all. */
const ASKED = 20_000;
const SEED = 10_000;

const here = (name) => join(import.meta.dirname, 'server', name);

function psql(place, sql) {
  const words = place.stranger('psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', 'keytrustee');
  const done = spawnSync(words[0], words.slice(1), {
    env: place.env,
    input: sql,
    encoding: 'utf8',
    cwd: '/',
    maxBuffer: 2 ** 28,
  });
  if (done.status !== 0) throw new Error(done.stderr);
  return done.stdout.trim();
}

/** Adds deposits up to a number of them, and gives the identifiers of those that are asked for. */
function seed(place, to) {
  const from = Number(psql(place, 'select count(*) from deposit'));
  for (let done = from; done < to; done += SEED) {
    const last = Math.min(done + SEED, to);
    psql(
      place,
      `insert into deposit (uuid, client_id, handle, content, sha256)
       select substr(md5(n::text) || md5('-' || n), 1, 43), client.id, 'handle ' || n, given.content, sha256(given.content)
       from client, generate_series(${done + 1}, ${last}) as n,
         lateral (select decode(repeat(md5(random()::text || n), ${SIZE / 16}), 'hex') as content) as given`,
    );
  }
  psql(place, 'vacuum analyze deposit; checkpoint');
  const every = Math.max(1, Math.floor(to / ASKED));
  return psql(place, `select uuid from deposit where id % ${every} = 0`).split('\n');
}

/** Starts a server and waits for the line that says where it listens. */
async function start(words, { env }, port) {
  const child = spawn(words[0], words.slice(1), { env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
  let heard = '';
  const listening = new Promise((resolve, reject) => {
    const hear = (data) => {
      heard += data;
      const found = port === undefined ? /^(\d+)\n/.exec(heard) : /listening on/.exec(heard);
      if (found !== null) resolve(port ?? Number(found[1]));
    };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', hear);
    child.once('close', () => reject(new Error(`it ended: ${heard}`)));
  });
  return { child, port: await listening };
}

/** Processor time of a process so far, microseconds; a clock of 100 ticks a second. */
function processorTime(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** Processor time of PostgreSQL's processes so far, microseconds. */
function databaseTime({ confdir }) {
  const [postmaster] = readFileSync(join(confdir, '..', 'db', 'data', 'postmaster.pid'), 'utf8').split('\n');
  const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8').trim().split(' ');
  return children.reduce((sum, pid) => sum + processorTime(pid), 0);
}

async function load(subject, asked) {
  const before = processorTime(subject.child.pid);
  const beforeDatabase = databaseTime(subject.place);
  const child = spawn(process.execPath, [here('load.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(
    JSON.stringify({ port: subject.port, token: subject.token, connections: CONNECTIONS, ...asked }),
  );
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  const [status] = await once(child, 'close');
  if (status !== 0) throw new Error(`the load on ${subject.name} failed`);
  const result = JSON.parse(output);
  return {
    ...result,
    processor: (processorTime(subject.child.pid) - before) / result.count,
    database: (databaseTime(subject.place) - beforeDatabase) / result.count,
  };
}

async function measure(title, subjects, asked) {
  for (const subject of subjects) await load(subject, { ...asked, seconds: Math.min(seconds, 2) });
  const done = new Map(subjects.map((subject) => [subject, []]));
  for (let turn = 0; turn < turns; turn += 1)
    for (const subject of turn % 2 === 0 ? subjects : subjects.toReversed())
      done.get(subject).push(await load(subject, { ...asked, seconds }));
  report(title, done);
}

function report(title, done) {
  console.log(`\n${title}; load ${loadavg()[0].toFixed(1)}`);
  const of = (results, key) => median(results.map((result) => result[key]));
  const base = [...done.values()][0];
  for (const [{ name }, results] of done) {
    const cell = (key, unit, digits) => `${of(results, key).toFixed(digits)} ${unit}`.padStart(12);
    const ratio = (key) => (of(results, key) / of(base, key)).toFixed(2);
    const cells = [
      cell('rate', '/s', 0),
      cell('p50', 'ms', 2),
      cell('p99', 'ms', 2),
      cell('processor', 'µs', 0),
      cell('database', 'µs', 0),
    ];
    const ratios = `rate ${ratio('rate')}  p50 ${ratio('p50')}  p99 ${ratio('p99')}  processor ${ratio('processor')}`;
    console.log(`${name.padEnd(16)}${cells.join('')}   ${ratios}`);
  }
}

/** No limit of rates, and a session that lasts. */
function configure({ confdir }) {
  const path = join(confdir, 'keytrustee.conf');
  const settings = JSON.parse(readFileSync(path, 'utf8'));
  const ours = {
    RATE_LIMIT_CLIENT: 10_000_000,
    SESSION_SECONDS: 86_400,
    METRICS_PORT: 0,
    LISTEN_ADDRESS: '127.0.0.1',
  };
  writeFileSync(path, JSON.stringify({ ...settings, ...ours }));
  return settings;
}

function freePort() {
  return 20_000 + Math.floor(Math.random() * 10_000);
}

await withPlace(0, async (place) => {
  const settings = configure(place);
  const client = await makeClient();
  psql(place, client.sql);
  const port = freePort();
  const profile = values.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', values.profile];
  const [node, ...words] = place.ktadmin('serve', '--port', String(port));
  const pair = [settings.SSL_CERTIFICATE, settings.SSL_PRIVATE_KEY];
  const bare = await start(place.stranger(process.execPath, here('bare.mjs'), ...pair), place);
  const own = await start([node, ...profile, ...words], place, port);
  const token = await openSession(port, client);
  const subjects = [
    { name: 'bare node:https', token: 'none', place, ...bare },
    { name: 'ktadmin serve', token, place, ...own },
  ];
  console.log(
    `Node ${process.versions.node}; ${CONNECTIONS} connections, medians of ${turns} turns of ${seconds} s each`,
  );
  try {
    for (const size of sizes) {
      const ids = seed(place, size);
      await measure(`get a deposit of ${SIZE} bytes, of ${size}`, subjects, { ids });
    }
    await measure(`put a deposit of ${SIZE} bytes`, subjects, { body: SIZE });
  } finally {
    for (const { child } of subjects) {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    }
  }
});
