// Certificates exchanged under load: a server with two workers, connections that stay open and always wait for answers, others that
// are opened all the time, and `ktadmin cert rotate` to and fro between the certificates of two authorities.
//
//   npm run rotations -- [--rotations 100] [--connections 50] [--json] [--confdir DIR --bin DIR]
//
// Without --confdir it makes a server of its own and removes it afterwards. The status is 1 when a request failed, a new connection saw
// another certificate than the one whose turn it was, a process ended, or the audit trail lacks a rotation.
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { withPlace } from './chaos/place.mjs';
import { openServer } from './chaos/server.mjs';
import { insist } from './chaos/shared.mjs';
import { makeAuthority } from './rotations/authority.mjs';
import { keepBusy } from './rotations/busy.mjs';
import { openNewcomers } from './rotations/newcomers.mjs';
import { makeClient, openSession } from './server/session.mjs';

const { values } = parseArgs({
  options: {
    rotations: { type: 'string', default: '100' },
    connections: { type: 'string', default: '50' },
    json: { type: 'boolean', default: false },
    confdir: { type: 'string' },
    bin: { type: 'string' },
  },
});
const rotations = Number(values.rotations);
const connections = Number(values.connections);
/** Loops that open new connections, and connections opened at once after each rotation: each worker gets some. */
const NEWCOMERS = 2;
const AFTERWARDS = 8;
const DEPOSIT = { id: 'r'.repeat(43), content: randomBytes(1024).toString('base64url') };

const say = (text) => console.error(text);

/** A session that lasts for the run, and a deposit to be fetched. */
async function stock(place) {
  const client = await makeClient();
  const deposit = `insert into deposit (uuid, client_id, content, sha256) select '${DEPOSIT.id}', client.id, given.content,
    sha256(given.content) from client, (select convert_to('${DEPOSIT.content}', 'UTF8') as content) as given`;
  const sql = `${client.sql} ${deposit}`;
  await insist('psql', () => place.ktadmin(['db', 'psql', '--', '-X', '-q', '-c', sql]));
  return client;
}

/** What the open connections ask for, all the time. */
async function requestsOf(place, client, fingerprint) {
  const session = await openSession(place.port, client);
  const get = (path, expected, head = '') => ({
    text: `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${head}\r\n`,
    expected,
  });
  return [
    get('/?a=fingerprint', fingerprint),
    get(`/v1/deposits/${DEPOSIT.id}`, DEPOSIT.content, `Authorization: Bearer ${session}\r\n`),
    get('/v1/health/ready'),
    get('/?a=fingerprint', fingerprint),
  ];
}

/** One rotation by the command; says whether it worked. */
async function rotate(place, { words }, total) {
  const since = performance.now();
  const done = await place.ktadmin(['cert', 'rotate', ...words]);
  total.times.push(Math.round(performance.now() - since));
  if (done.status !== 0) total.failures.push(`rotation ${total.times.length}: ${done.status} ${done.stderr}`);
  return done.status === 0;
}

/** The rotations in the audit trail that were done, and whether all of the trail is whole. */
async function checkAudit(place, total) {
  const shown = await place.ktadmin(['audit', 'show', '--event', 'certificate.rotate', '--json']);
  const lines = shown.stdout.split('\n').filter((line) => line !== '');
  total.recorded = lines.filter((line) => JSON.parse(line).outcome === 'done').length;
  if (total.recorded !== rotations || lines.length !== rotations)
    total.failures.push(`the audit trail has ${total.recorded} rotations in ${lines.length} lines`);
  const verified = await place.ktadmin(['audit', 'verify']);
  if (verified.status !== 0) total.failures.push(`audit verify: ${verified.stderr}${verified.stdout}`);
}

async function play(place) {
  const file = join(place.confdir, 'keytrustee.conf');
  const configuration = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...configuration, SESSION_SECONDS: 86_400 }, null, 2));
  const { EXTERNAL_ADDRESS: host, LOCAL_FINGERPRINT: fingerprint, SSL_CERTIFICATE } = configuration;
  const authorities = ['north', 'south'].map((name) => makeAuthority(place.directory, name, host));
  const total = { rotations: 0, requests: 0, newConnections: 0, newAlone: 0, slowest: 0, recorded: 0 };
  Object.assign(total, { times: [], failures: [] });
  const control = { isOver: false };
  const server = await openServer(place, say);
  try {
    const client = await stock(place);
    const requests = await requestsOf(place, client, fingerprint);
    const trusted = readFileSync(SSL_CERTIFICATE, 'utf8');
    const processes = server.processes().join();
    const since = performance.now();
    const near = { port: place.port, host };
    const busy = keepBusy(connections, { ...near, trusted, requests, control, total });
    const ask = { ...near, path: '/?a=fingerprint', expected: fingerprint };
    const newcomers = openNewcomers(NEWCOMERS, trusted, ask, control, total);
    while (total.rotations < rotations && total.failures.length === 0) {
      const to = authorities[total.rotations % 2];
      await newcomers.rotating(to.root, AFTERWARDS, () => rotate(place, to, total));
      total.rotations += 1;
      if (total.rotations % 10 === 0)
        say(
          `${total.rotations} rotations, ${total.requests} requests, ${total.newConnections} new connections`,
        );
    }
    total.seconds = Math.round((performance.now() - since) / 1000);
    control.isOver = true;
    await Promise.all([busy, newcomers.ended]);
    if (server.processes().join() !== processes) total.failures.push('a process of the server ended');
  } finally {
    control.isOver = true;
    await server.stop();
  }
  await checkAudit(place, total);
  return total;
}

const total = await withPlace(values, play);
const times = total.times.toSorted((a, b) => a - b);
const median = times[Math.floor(times.length / 2)];
const figures = {
  ...total,
  times: undefined,
  median,
  longest: times.at(-1),
  slowest: Math.round(total.slowest),
};
figures.failed = total.failures.length;
figures.failures = total.failures.slice(0, 10);
console.log(JSON.stringify(figures, null, values.json ? 0 : 2));
if (figures.failed > 0) process.exitCode = 1;
