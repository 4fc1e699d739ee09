/** `cert rotate --in-place` with files that were overwritten, killed at each of its steps, and refused late. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import {
  type Authority,
  authority,
  certificateEvents,
  configurationOf,
  storeOf,
} from '../../support/authority.ts';
import { give } from '../../support/faults.ts';
import { type InPlace, inPlace, subjectPresented } from '../../support/in-place.ts';
import { someOf } from '../../support/long.ts';
import { sharedServer, temporaryDirectory, withoutDrop } from '../../support/sandbox.ts';
import { configure, serving, sharedServing } from '../../support/serving.ts';

const HOST = 'kts01.example.com';
const server = sharedServer();
const running = sharedServing(server, async () => configure(server, { METRICS_PORT: 0 }));
const cleanUps: (() => Promise<void>)[] = [];
let ca: Authority;
let place: InPlace;

beforeAll(async () => {
  ca = await authority(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)), HOST);
  for (const name of ['a', 'b']) await ca.issue(name);
  place = inPlace(server, ca);
  await writeFile(ca.at('password'), 'secret', { mode: 0o644 });
  await ca.issue('locked');
  await ca.openssl(
    ...['pkcs8', '-topk8', '-in', ca.at('locked.key'), '-out', ca.at('enc.key')],
    ...['-passout', `file:${ca.at('password')}`],
  );
  await writeFile(ca.at('enc.pem'), await readFile(ca.at('locked.pem')));
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const presented = () => subjectPresented(running.port, HOST);
const rotate = (env = {}, ...more: string[]) =>
  server.ktadmin(['cert', 'rotate', ...place.options, ...more], { env });

async function put(name: string, ...more: string[]): Promise<void> {
  await place.lay(name);
  expect(await rotate({}, ...more)).toMatchObject({ status: 0 });
}

/** What the server presents once it has been started again. */
async function afterRestart(): Promise<string> {
  running.kill('SIGTERM');
  await running.ended;
  Object.assign(running, await serving(server, { atEnd: (cleanUp) => cleanUps.push(cleanUp) }));
  return presented();
}

const STEPS = ['staged', 'journaled', 'placed', 'reloaded', 'recorded', 'tidied'];

test.each(someOf(STEPS))(
  'a renewal in place that is killed at %s is finished by the same command, and kept',
  async (step) => {
    await put('a');
    const before = (await certificateEvents(server)).length;
    await place.lay('b');
    await rotate({ KTADMIN_KILL_AT: `cert-${step}` });
    expect(await presented()).toBe(STEPS.indexOf(step) < 3 ? 'CN=a' : 'CN=b');
    expect((await rotate()).stdout).toContain('in use now: CN=b,');
    expect((await certificateEvents(server)).slice(before)).toEqual(['certificate.rotate done CN=b']);
    const left = (await storeOf(server)).filter((name) => !/^(kept-)?STAMP$|^ssl-cert-/.test(name));
    expect(left).toEqual([]);
    expect((await server.ktadmin(['cert', 'rollback'])).stdout).toContain('in use now: CN=a,');
    expect(await presented()).toBe('CN=a');
  },
);

test.each(['placed', 'reloaded'])(
  'killed at %s and then overwritten by bad files: back to the first',
  async (step) => {
    await put('a');
    await place.lay('b');
    await rotate({ KTADMIN_KILL_AT: `cert-${step}` });
    await place.lay('a', 'b');
    const failed = await rotate();
    expect(failed.status).not.toBe(0);
    expect(failed.stderr).toContain('stays in use: ');
    expect([await presented(), await place.named(), await afterRestart()]).toEqual(['CN=a', 'copy', 'CN=a']);
  },
);

test('killed when the settings name the copy: a restart presents what was in use, and good files are taken', async () => {
  await put('a');
  await place.lay('a', 'b');
  await rotate({ KTADMIN_KILL_AT: 'cert-returned' });
  expect([await presented(), await place.named(), await afterRestart()]).toEqual(['CN=a', 'copy', 'CN=a']);
  await put('b');
  expect((await server.ktadmin(['cert', 'rollback'])).stdout).toContain('in use now: CN=a,');
});

/** A script that prints the password, and fails once when the server runs it where `refuse` says so. */
async function passwordScript(): Promise<{ path: string; refuse: () => Promise<void> }> {
  const [path, flag] = [ca.at('script'), ca.at('flag')];
  await writeFile(flag, '');
  await give(flag);
  const lines = [
    ...['#!/bin/bash', `if [ -s ${flag} ] && tr '\\0' ' ' </proc/$PPID/cmdline | grep -q ' serve '; then`],
    ...[`  >${flag}; exit 9`, 'fi', `cat ${ca.at('password')}`],
  ];
  await writeFile(path, `${lines.join('\n')}\n`);
  await chmod(path, 0o755);
  return { path, refuse: () => writeFile(flag, 'refuse') };
}

test('defect: a renewal in place that the server refuses to reload, with a key that has a password', async () => {
  const { path, refuse } = await passwordScript();
  await put('enc', '--password-script', path);
  expect(await presented()).toBe('CN=locked');
  await place.lay('b');
  await refuse();
  // The key that is read by the script again, so that the server runs it.
  await ca.openssl(
    ...['pkcs8', '-topk8', '-in', ca.at('b.key'), '-out', ca.at('place.private')],
    ...['-passout', `file:${ca.at('password')}`],
  );
  const failed = await rotate({}, '--password-script', path);
  const { SSL_CERTIFICATE: copy } = await configurationOf(server);
  expect([failed.status, withoutDrop(failed.stderr)]).toEqual([
    1,
    `ktadmin: error: SSL_PRIVATE_KEY_PASSWORD_SCRIPT failed (exit status 9); the certificate that was in use stays in use: ${server.confdir}/keytrustee.conf names its copy ${copy}, because ${place.certificate} was overwritten; run the command again when good files lie there\nktadmin: hint: it must print the password of SSL_PRIVATE_KEY, and end with status 0 within 10 seconds\n`,
  ]);
  expect(await certificateEvents(server).then((all) => all.at(-1))).toBe('certificate.rotate failed CN=b');
  expect([await place.named(), await afterRestart()]).toEqual(['copy', 'CN=locked']);
  expect((await rotate({}, '--password-script', path)).status).toBe(0);
  expect([await presented(), await place.named()]).toEqual(['CN=b', 'place']);
  expect((await server.ktadmin(['cert', 'rollback'])).stdout).toContain('in use now: CN=locked,');
});
