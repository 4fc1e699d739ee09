/** What goes wrong in the middle of `cert rotate`: the certificate that was in use stays in use, and the error says why. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { openControl } from '../../../src/lib/core/control.ts';
import { takeLock } from '../../../src/lib/core/lock.ts';
import { probe } from '../../../src/lib/tls/probe.ts';
import { type Authority, authority, certificateEvents, storeOf } from '../../support/authority.ts';
import { smallDisk } from '../../support/disk.ts';
import { give, tree } from '../../support/faults.ts';
import {
  isRoot,
  run,
  sharedServer,
  temporaryDirectory,
  testServer,
  withoutDrop,
} from '../../support/sandbox.ts';
import { configure, sharedServing } from '../../support/serving.ts';

const HOST = 'kts01.example.com';
const server = sharedServer();
const running = sharedServing(server, async () => configure(server, { METRICS_PORT: 0 }));
let ca: Authority;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  ca = await authority(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)), HOST);
  for (const name of ['a', 'locked']) await ca.issue(name);
  await writeFile(ca.at('password'), 'secret', { mode: 0o644 });
  const to = ['-out', ca.at('locked.enc'), '-passout', `file:${ca.at('password')}`];
  await ca.openssl('pkcs8', '-topk8', '-in', ca.at('locked.key'), ...to);
  await give(ca.at('locked.enc'));
  expect((await server.ktadmin(['cert', 'rotate', ...ca.options('a')])).status).toBe(0);
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const settingsOf = () => readFile(join(server.confdir, 'keytrustee.conf'), 'utf8');

async function presented(): Promise<string> {
  const { chain } = await probe({ host: '127.0.0.1', port: running.port, servername: HOST });
  return `${chain[0]?.subject}`;
}

/**
 * A rotation whose password script does something when it runs for the third time, which is when the server reloads: the
 * program has run it twice, when it read the key and when it looked at what it wrote.
 */
async function rotateWith(third: string, second = '') {
  const [script, count] = [ca.at('script'), ca.at('count')];
  const conf = join(server.confdir, 'keytrustee.conf');
  await writeFile(count, '');
  await give(count);
  const lines = [
    ...['#!/bin/bash', `echo >>${count}`, `n=$(wc -l <${count})`, `conf=${conf}`, `place=${count}`],
    ...['edit() { sed -i "1s/{/{\\"SMTP_PORT\\": 2525,/" "$conf"; }'],
    ...[`if [ "$n" = 2 ]; then echo $PPID >${count}.pid; ${second || ':'}; fi`],
    ...[`if [ "$n" = 3 ]; then ${third}; fi`, `cat ${ca.at('password')}`],
  ];
  await writeFile(`${count}.pid`, '');
  await give(`${count}.pid`);
  await writeFile(script, `${lines.join('\n')}\n`);
  await chmod(script, 0o755);
  const files = ['--cert', ca.at('locked.pem'), '--key', ca.at('locked.enc'), '--ca', ca.at('ca.pem')];
  return server.ktadmin(['cert', 'rotate', ...files, '--password-script', script]);
}

let before: { settings: string; store: string; events: number };

beforeEach(async () => {
  const events = (await certificateEvents(server)).length;
  before = { settings: await settingsOf(), store: await tree(join(server.confdir, '.ssl')), events };
});

async function nothingChanged(failed: string[] = []): Promise<void> {
  expect(await presented()).toBe('CN=a');
  expect(await tree(join(server.confdir, '.ssl'))).toBe(before.store);
  expect((await certificateEvents(server)).slice(before.events)).toEqual(failed);
}

test('a server that refuses to reload: everything is put back, to the byte', async () => {
  const refused = await rotateWith('exit 9');
  expect([refused.status, refused.stdout, withoutDrop(refused.stderr)]).toEqual([
    1,
    '',
    'ktadmin: error: SSL_PRIVATE_KEY_PASSWORD_SCRIPT failed (exit status 9); the certificate that was in use stays in use\nktadmin: hint: it must print the password of SSL_PRIVATE_KEY, and end with status 0 within 10 seconds\n',
  ]);
  expect(await settingsOf()).toBe(before.settings);
  await nothingChanged(['certificate.rotate failed CN=locked']);
});

test('what somebody else writes into keytrustee.conf meanwhile is not lost when everything is put back', async () => {
  expect((await rotateWith('edit; exit 9')).status).toBe(1);
  expect(JSON.parse(await settingsOf())).toEqual({ ...JSON.parse(before.settings), SMTP_PORT: 2525 });
  await nothingChanged(['certificate.rotate failed CN=locked']);
  await writeFile(join(server.confdir, 'keytrustee.conf'), before.settings);
});

test('SIGTERM in the middle puts everything back, and is the status', async () => {
  const ended = await rotateWith(`kill -TERM $(cat $place.pid)`);
  expect([ended.signal ?? ended.status, ended.stdout]).toEqual([143, '']);
  expect(await settingsOf()).toBe(before.settings);
  await nothingChanged(['certificate.rotate failed CN=locked']);
});

test('of two at once one is told of the other', async () => {
  const release = await takeLock(server.confdir, 'certificate command');
  onTestFinished(release);
  const rotation = ['rotate', ...ca.options('a')];
  for (const words of [rotation, [...rotation, '--dry-run'], ['rollback'], ['rollback', '--dry-run']]) {
    const refused = await server.ktadmin(['cert', ...words]);
    expect([refused.status, withoutDrop(refused.stderr)]).toEqual([
      75,
      `ktadmin: error: another certificate command is at work in ${server.confdir}\nktadmin: hint: wait until it has ended\n`,
    ]);
  }
  await nothingChanged();
});

test('what somebody else writes into keytrustee.conf before the switch is not lost', async () => {
  expect((await rotateWith(':', 'edit')).status).toBe(0);
  expect(await presented()).toBe('CN=locked');
  expect(JSON.parse(await settingsOf())).toMatchObject({ SMTP_PORT: 2525, METRICS_PORT: 0 });
  expect((await server.ktadmin(['cert', 'rollback'])).status).toBe(0);
});

test.skipIf(!isRoot)(
  'defect: a full disk is named; nothing is left, and what was in use stays in use',
  async () => {
    const disk = await smallDisk('256k');
    const store = join(server.confdir, '.ssl');
    await run('cp', ['-a', `${store}/.`, disk.directory]);
    await disk.fill(8192);
    await run('mount', ['--bind', disk.directory, store]);
    const names = await storeOf(server);
    const failed = await server.ktadmin(['cert', 'rotate', ...ca.options('locked')]);
    expect(await storeOf(server)).toEqual(names);
    await run('umount', [store]);
    expect([failed.status, withoutDrop(failed.stderr)]).toEqual([
      1,
      `ktadmin: error: ${store}: no space left on device\nktadmin: hint: free some space and run the command again\n`,
    ]);
    expect(await settingsOf()).toBe(before.settings);
    await nothingChanged(['certificate.rotate failed CN=locked']);
  },
);

/** Something that answers in a server's place, and presents the certificate `a` whatever it is told. */
async function impostor(reload: (end: () => void) => void) {
  const other = await testServer();
  const [key, cert] = [await readFile(ca.at('a.key')), await readFile(ca.at('a.pem'))];
  const listener = createServer({ key, cert }).listen(0, '127.0.0.1');
  onTestFinished(() => void listener.close());
  await new Promise((resolve) => listener.once('listening', resolve));
  const { port } = listener.address() as { port: number };
  let end: () => Promise<void> = async () => undefined;
  let reloads = 0;
  end = await openControl(other.confdir, {
    state: async () => ({ pid: 1, addresses: [`https://127.0.0.1:${port}`], workers: 1 }),
    async reload() {
      reloads += 1;
      reload(() => void end());
    },
  });
  onTestFinished(end);
  await give(join(other.confdir, 'S.keytrusteed'));
  return { other, port, reloads: () => reloads };
}

test('a server that presents something else afterwards is told to go back', async () => {
  const { other, port, reloads } = await impostor(() => undefined);
  const conf = join(other.confdir, 'keytrustee.conf');
  const text = await readFile(conf, 'utf8');
  const failed = await other.ktadmin(['cert', 'rotate', ...ca.options('locked')]);
  const [wanted, has] = [await ca.fingerprint('locked'), await ca.fingerprint('a')];
  const place = `https://127.0.0.1:${port}`;
  expect([failed.status, failed.stdout]).toEqual([8, '']);
  expect(failed.stderr).toContain(
    `ktadmin: error: ${place} presents the certificate ${has}, not ${wanted}; the certificate that was in use stays in use; the server could not be told of that (${place} presents the certificate ${has}, not `,
  );
  expect(reloads()).toBe(2);
  expect(await readFile(conf, 'utf8')).toBe(text);
});

test('a server that ends between the reload and the probe: the new certificate, which it took, stays', async () => {
  const { other } = await impostor((end) => end());
  const done = await other.ktadmin(['cert', 'rotate', ...ca.options('locked')]);
  expect([done.status, done.stdout.split('\n')[3]]).toEqual([0, 'no server runs: nothing was probed']);
});
