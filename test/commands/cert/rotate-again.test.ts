/** `cert rotate` where somebody else has changed files or settings since the last one. */
import { readFile, writeFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { probe } from '../../../src/lib/tls/probe.ts';
import {
  type Authority,
  authority,
  certificateEvents,
  configurationOf,
  storeOf,
} from '../../support/authority.ts';
import { sharedServer, temporaryDirectory } from '../../support/sandbox.ts';
import { configure, sharedServing } from '../../support/serving.ts';

const HOST = 'kts01.example.com';
const server = sharedServer();
const running = sharedServing(server, async () => configure(server, { METRICS_PORT: 0 }));
let ca: Authority;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  ca = await authority(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)), HOST);
  for (const name of ['a', 'b', 'mine']) await ca.issue(name);
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

async function presented(): Promise<string> {
  const { chain } = await probe({ host: '127.0.0.1', port: running.port, servername: HOST });
  return `${chain[0]?.subject}`;
}

test('files that are used in place and were renewed there are taken over by the same command', async () => {
  const words = ['cert', 'rotate', '--in-place', ...ca.options('mine')];
  expect((await server.ktadmin(words)).status).toBe(0);
  expect(await presented()).toBe('CN=mine');
  for (const kind of ['pem', 'key'])
    await writeFile(ca.at(`mine.${kind}`), await readFile(ca.at(`a.${kind}`)));
  expect(await presented()).toBe('CN=mine');
  const done = await server.ktadmin(words);
  expect([done.status, done.stdout.includes('the server presents it: 2 connections')]).toEqual([0, true]);
  expect(await presented()).toBe('CN=a');
  const again = await server.ktadmin(words);
  expect(again.stdout).toContain('it was in use already: nothing was changed');
  expect(await certificateEvents(server)).toEqual([
    'certificate.rotate done CN=mine',
    'certificate.rotate done CN=a',
  ]);
});

test('a run that was cut off is given up where somebody has named other files since', async () => {
  const env = { KTADMIN_KILL_AT: 'cert-switched' };
  await server.ktadmin(['cert', 'rotate', ...ca.options('b')], { env });
  const { SSL_CERTIFICATE } = await configurationOf(server);
  expect(`${SSL_CERTIFICATE}`).toContain('/.ssl/');
  const [cert, key] = [ca.at('mine.pem'), ca.at('mine.key')];
  await configure(server, { SSL_CERTIFICATE: cert, SSL_PRIVATE_KEY: key });
  const done = await server.ktadmin(['cert', 'rotate', ...ca.options('b')]);
  expect([done.status, await presented()]).toEqual([0, 'CN=b']);
  expect((await storeOf(server)).filter((name) => name === 'rotation.json')).toEqual([]);
  expect((await server.ktadmin(['cert', 'rollback'])).stdout).toContain('in use now: CN=a,');
  expect(await configurationOf(server)).toMatchObject({ SSL_CERTIFICATE: cert, SSL_PRIVATE_KEY: key });
});
