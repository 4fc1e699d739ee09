/** `cert rotate` on servers that run, with certificates of an authority made by OpenSSL. */
import { stat } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { probe } from '../../../src/lib/tls/probe.ts';
import {
  type Authority,
  authority,
  certificateEvents,
  configurationOf,
  storeOf,
} from '../../support/authority.ts';
import { said } from '../../support/refusal.ts';
import { sharedServer, temporaryDirectory, withoutDrop } from '../../support/sandbox.ts';
import { serving, sharedServing } from '../../support/serving.ts';

const HOST = 'kts01.example.com';
const server = sharedServer();
const running = sharedServing(server);
let ca: Authority;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  ca = await authority(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)), HOST);
  for (const name of ['a', 'b', 'c']) await ca.issue(name);
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

async function presented(port: number): Promise<string[]> {
  const { chain } = await probe({ host: '127.0.0.1', port, servername: HOST });
  return chain.map(({ subject }) => subject);
}

const until = () => new Date(Date.now() + 365 * 86_400_000).toISOString().slice(0, 10);
const named = async (name: string) =>
  `in use now: CN=${name}, until ${until()} (364 days)\n  issued by CN=ca\n  SHA-256 ${await ca.fingerprint(name)}\n`;
/** What is said of a certificate that came into use. */
const inUse = async (name: string, probed: string) =>
  `${await named(name)}${probed}\nktadmin cert rollback goes back to the one before\n`;

test('a server that runs presents the certificate of an authority, and its configuration names a copy', async () => {
  const done = await server.ktadmin(['cert', 'rotate', ...ca.options('a')]);
  expect(withoutDrop(done.stderr)).toBe('');
  expect(done).toMatchObject({
    status: 0,
    stdout: await inUse('a', 'the server presents it: 2 connections'),
  });
  expect(await presented(running.port)).toEqual(['CN=a', 'CN=ca']);
  const { SSL_CERTIFICATE, SSL_PRIVATE_KEY, SSL_CA_CERTIFICATE } = await configurationOf(server);
  for (const path of [SSL_CERTIFICATE, SSL_PRIVATE_KEY, SSL_CA_CERTIFICATE] as string[]) {
    expect(path.startsWith(`${server.confdir}/.ssl/`)).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  }
  expect(await certificateEvents(server)).toEqual(['certificate.rotate done CN=a']);
  expect(await storeOf(server)).toEqual([
    ...['STAMP', 'kept-STAMP', 'ssl-cert-keytrustee-pk.pem', 'ssl-cert-keytrustee.pem'],
  ]);
});

test('the certificate that is in use already is left in use', async () => {
  const before = await storeOf(server);
  const done = await server.ktadmin(['cert', 'rotate', ...ca.options('a')]);
  const text = `${await named('a')}it was in use already: nothing was changed\n`;
  expect(done).toMatchObject({ status: 0, stdout: text });
  expect(await storeOf(server)).toEqual(before);
  expect(await certificateEvents(server)).toHaveLength(1);
});

test('defect: a dry run listed steps for a certificate that is in use already', async () => {
  const done = await server.ktadmin(['cert', 'rotate', ...ca.options('a'), '--dry-run']);
  const text = `1. checked: CN=a, until ${until()}\nit is in use already: there is nothing else to do\nnothing was changed\n`;
  expect(done).toMatchObject({ status: 0, stdout: text });
});

test('defect: --quiet did not silence what was done', async () => {
  for (const words of [['--dry-run'], []]) {
    const done = await server.ktadmin(['cert', 'rotate', '--quiet', ...ca.options('a'), ...words]);
    expect(said(done)).toEqual({ status: 0, stdout: '', stderr: '' });
  }
});

test('each of two workers presents it, and a server that starts again does', async () => {
  running.kill('SIGTERM');
  await running.ended;
  const pair = await serving(server, { args: ['--workers', '2'] });
  expect(await presented(pair.port)).toEqual(['CN=a', 'CN=ca']);
  const done = await server.ktadmin(['cert', 'rotate', ...ca.options('b')]);
  expect(done).toMatchObject({
    status: 0,
    stdout: await inUse('b', 'the server presents it: 4 connections'),
  });
  expect(await presented(pair.port)).toEqual(['CN=b', 'CN=ca']);
});

test('without a server it is done all the same, and said that nothing was probed', async () => {
  const done = await server.ktadmin(['cert', 'rotate', ...ca.options('c')]);
  expect(done).toMatchObject({ status: 0, stdout: await inUse('c', 'no server runs: nothing was probed') });
  const again = await serving(server);
  expect(await presented(again.port)).toEqual(['CN=c', 'CN=ca']);
});
