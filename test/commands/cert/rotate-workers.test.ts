/** `cert rotate` while one of the server's processes has ended, or is stopped. */
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { findServer } from '../../../src/lib/certificates/running.ts';
import { auditDirectory } from '../../../src/lib/core/configuration.ts';
import { askServer } from '../../../src/lib/core/control.ts';
import { takeLock } from '../../../src/lib/core/lock.ts';
import { probe } from '../../../src/lib/tls/probe.ts';
import { linesOf } from '../../support/audit.ts';
import { type Authority, authority } from '../../support/authority.ts';
import { give, tree } from '../../support/faults.ts';
import { descendants } from '../../support/processes.ts';
import { sharedServer, temporaryDirectory, testServer, until, withoutDrop } from '../../support/sandbox.ts';
import { configure, type Serving, serving } from '../../support/serving.ts';

const HOST = 'kts01.example.com';
const WORKERS = 3;
const server = sharedServer();
let running: Serving;
let ca: Authority;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  const atEnd = (cleanUp: () => Promise<void>) => void cleanUps.push(cleanUp);
  ca = await authority(await temporaryDirectory(atEnd), HOST);
  for (const name of ['a', 'b']) await ca.issue(name);
  await configure(server, { METRICS_PORT: 0 });
  running = await serving(server, { args: ['--workers', `${WORKERS}`], atEnd });
  return async () => {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp();
  };
});

async function workers(): Promise<number[]> {
  const seen = await descendants(running.pid);
  return seen.filter(({ words }) => words.includes('serve')).map(({ pid }) => pid);
}

/** How often a worker has begun to serve. */
async function starts(): Promise<number> {
  const streams = Array.from({ length: WORKERS }, (_, place) => `server-${place + 1}`);
  const place = auditDirectory(server.confdir, {});
  const lines = await Promise.all(streams.map((stream) => linesOf(place, stream)));
  return lines.flat().filter(({ event }) => event === 'server.start').length;
}

/** Every certificate that is met by many connections. */
async function presented(): Promise<string[]> {
  const seen = new Set<string>();
  for (let round = 0; round < 8 * WORKERS; round += 1) {
    const { chain } = await probe({ host: '127.0.0.1', port: running.port, servername: HOST });
    seen.add(`${chain[0]?.subject}`);
  }
  return [...seen];
}

const stateOf = async () => [
  await readFile(join(server.confdir, 'keytrustee.conf'), 'utf8'),
  await tree(join(server.confdir, '.ssl')),
];

test('a worker that is killed just before presents the new certificate, too', async () => {
  for (const name of ['a', 'b', 'a', 'b']) {
    process.kill((await workers())[0] ?? 0, 'SIGKILL');
    const done = await server.ktadmin(['cert', 'rotate', ...ca.options(name)]);
    expect([done.status, withoutDrop(done.stderr)]).toEqual([0, '']);
    expect(await workers()).toHaveLength(WORKERS);
    expect(await presented()).toEqual([`CN=${name}`]);
  }
});

test('defect: a worker that was being started again went on presenting the certificate from before', async () => {
  const [script, hold, held] = [ca.at('script'), ca.at('hold'), ca.at('held')];
  await writeFile(held, '');
  await give(held);
  const lines = [
    '#!/bin/bash',
    `[ -e ${hold} ] && echo >>${held}`,
    `while [ -e ${hold} ]; do sleep 0.05; done`,
  ];
  await writeFile(script, [...lines, 'echo secret', ''].join('\n'));
  await chmod(script, 0o755);
  const to = ['-out', ca.at('a.enc'), '-passout', 'pass:secret'];
  await ca.openssl('pkcs8', '-topk8', '-in', ca.at('a.key'), ...to);
  await give(ca.at('a.enc'));
  const files = ['--cert', ca.at('a.pem'), '--key', ca.at('a.enc'), '--ca', ca.at('ca.pem')];
  expect((await server.ktadmin(['cert', 'rotate', ...files, '--password-script', script])).status).toBe(0);
  // The next worker has read the settings from before, and goes on only after they were changed.
  const started = await starts();
  await writeFile(hold, '');
  process.kill((await workers())[0] ?? 0, 'SIGKILL');
  await until(async () => (await readFile(held, 'utf8')) !== '', 'the next worker reads its key');
  const [before] = await stateOf();
  const rotation = server.ktadmin(['cert', 'rotate', ...ca.options('b')]);
  await until(async () => (await stateOf())[0] !== before, 'the settings are changed');
  await rm(hold);
  const done = await rotation;
  expect([done.status, withoutDrop(done.stderr)]).toEqual([0, '']);
  await until(async () => (await starts()) > started, 'the next worker serves');
  expect(await presented()).toEqual(['CN=b']);
});

test('defect: a worker that was stopped was waited for by the minute', async () => {
  const before = await stateOf();
  const stopped = (await workers())[0] ?? 0;
  process.kill(stopped, 'SIGSTOP');
  onTestFinished(() => void process.kill(stopped, 'SIGCONT'));
  const refused = await server.ktadmin(['cert', 'rotate', ...ca.options('a')]);
  const told = withoutDrop(refused.stderr).replace(/worker \d/, 'worker N');
  const hint = `kill -CONT ${stopped} has it go on where it was stopped; kill -KILL ${stopped} has it started again`;
  expect([refused.status, told]).toEqual([
    7,
    `ktadmin: error: worker N (process ${stopped}) did not answer within 3 seconds\nktadmin: hint: ${hint}\n`,
  ]);
  await expect(askServer(server.confdir, 'reload')).rejects.toMatchObject({ code: 'unreachable', hint });
  expect(await stateOf()).toEqual(before);
  process.kill(stopped, 'SIGCONT');
  expect(await presented()).toEqual(['CN=b']);
});

test('defect: a server that was stopped was changed under, and waited for by the minute', async () => {
  const before = await stateOf();
  running.kill('SIGSTOP');
  onTestFinished(() => running.kill('SIGCONT'));
  const refused = await server.ktadmin(['cert', 'rotate', ...ca.options('a')]);
  running.kill('SIGCONT');
  expect([refused.status, withoutDrop(refused.stderr)]).toEqual([
    7,
    'ktadmin: error: the server did not answer in time\nktadmin: hint: systemctl status keytrusteed shows its process: where that was stopped, kill -CONT PID has it go on; systemctl restart keytrusteed starts it anew\n',
  ]);
  expect(await stateOf()).toEqual(before);
  expect(await presented()).toEqual(['CN=b']);
});

test('defect: a server that was starting counted as one of an older version', async () => {
  const { confdir } = await testServer();
  onTestFinished(await takeLock(confdir, 'server'));
  await expect(findServer(confdir, 200)).rejects.toMatchObject({
    code: 'state',
    message: `a server runs with ${confdir} and does not answer there, so it could not be told of a certificate`,
    hint: 'where it is still starting, or ending, run the command again when systemctl status keytrusteed says so no more; where it is of an older version, restart it with this one: systemctl restart keytrusteed',
  });
});
