/** `ktadmin init` cut off: by a signal, by kill -9, by a full disk. What is there is complete, and a second run finishes it. */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { smallDisk } from '../support/disk.ts';
import { freshPlace, type Place, placeWithKey } from '../support/fresh.ts';
import { someOf } from '../support/long.ts';
import { allEnded, descendants, gpgHomes, isAlive, type Seen } from '../support/processes.ts';
import {
  asAccount,
  checksums,
  isRoot,
  kt,
  type Outcome,
  run,
  until,
  withoutDrop,
} from '../support/sandbox.ts';

const CREATING = 'INFO:keytrustee.server.util:Creating self-signed cert\n';

/** Runs init and sends it a signal as soon as it has a child with this word; also says which processes it had then. */
async function interrupt(place: Place, word: string, signal: NodeJS.Signals) {
  let pid = 0;
  let kill = (_: NodeJS.Signals) => false;
  const running = place.init([], {
    started: (child) => {
      pid = child.pid;
      kill = child.kill;
    },
  });
  let seen: Seen[] = [];
  await until(async () => {
    seen = await descendants(pid);
    return seen.some(({ words }) => words.some((text) => text.endsWith(word)));
  }, `${word} runs`);
  kill(signal);
  return { outcome: await running, seen };
}

/** Everything below a place but the inside of a data directory. */
async function names(directory: string): Promise<string[]> {
  const listed = await run('find', [directory, '-path', '*/data/*', '-prune', '-o', '-printf', '%P\\n']);
  return listed.stdout.split('\n').filter((name) => name !== '');
}

/** Names that only unfinished work has; write-file-atomic ends its own with a number. */
const isTemporary = (name: string) => /\.init-|\.\d+$|\.tmp$/.test(name);

async function expectComplete(place: Place): Promise<Outcome> {
  const again = await place.init();
  expect(again).toMatchObject({ status: 0, signal: null });
  expect((await names(place.directory)).filter(isTemporary)).toEqual([]);
  const checked = await kt('ktadmin', ['config', 'check', '--confdir', place.confdir]);
  expect(withoutDrop(checked.stderr)).toBe('no faults\n');
  return again;
}

test.each(
  someOf([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const),
)(
  '%s while the key is made: nothing of it is left, and a second run completes it',
  async (signal, status) => {
    const place = await freshPlace();
    const { outcome, seen } = await interrupt(place, '--generate-key', signal);
    expect(outcome).toMatchObject({ status, stdout: '' });
    expect(withoutDrop(outcome.stderr)).toBe(`ktadmin: error: interrupted by ${signal}\n`);
    expect((await names(place.directory)).toSorted()).toEqual(['.keytrustee', 'audit', 'db']);
    const [home = 'none'] = gpgHomes(seen);
    expect(home).toMatch(/^\/tmp\/ktgpg-/);
    expect(existsSync(home)).toBe(false);
    for (const { pid } of seen) expect(await isAlive(pid)).toBe(false);
    await allEnded(home);
    await expectComplete(place);
  },
);

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  '%s while the cluster is made: nothing of it is left, and a second run completes it',
  async (signal, status) => {
    const place = await placeWithKey();
    const { outcome, seen } = await interrupt(place, '/initdb', signal);
    expect(outcome).toMatchObject({ status, stdout: '' });
    expect(withoutDrop(outcome.stderr)).toBe(`${CREATING}ktadmin: error: interrupted by ${signal}\n`);
    expect((await readdir(place.pgRootdir)).toSorted()).toEqual([
      'log',
      'pg_hba.conf',
      'pg_ident.conf',
      'postgresql.conf',
      'run',
    ]);
    for (const { pid } of seen) expect(await isAlive(pid)).toBe(false);
    await allEnded(place.directory);
    const before = await checksums(place.confdir);
    await expectComplete(place);
    expect(await checksums(place.confdir)).toBe(before);
  },
);

test('kill -9 while the key is made: a second run sweeps what is left and completes it', async () => {
  const place = await freshPlace();
  const { outcome, seen } = await interrupt(place, '--generate-key', 'SIGKILL');
  // Nothing can end the agent of a process that was killed so; the test does.
  onTestFinished(async () => {
    for (const home of gpgHomes(seen)) {
      await asAccount('gpgconf', ['--homedir', home, '--kill', 'all']);
      await rm(home, { recursive: true, force: true });
      await allEnded(home);
    }
  });
  expect(outcome.signal).toBe('SIGKILL');
  expect((await readdir(place.confdir)).some((name) => name.startsWith('.init-'))).toBe(true);
  await expectComplete(place);
});

test('kill -9 while the cluster is made: a second run sweeps what is left and completes it', async () => {
  const place = await placeWithKey();
  const { outcome } = await interrupt(place, '/initdb', 'SIGKILL');
  expect(outcome.signal).toBe('SIGKILL');
  expect((await readdir(place.pgRootdir)).some((name) => name.startsWith('.init-'))).toBe(true);
  await allEnded(place.directory);
  await expectComplete(place);
});

/** What is there after a failure must be final: the run that completes the server changes none of it. */
async function expectKept(place: Place): Promise<void> {
  const files = async () => new Set((await checksums(place.confdir)).split('\n'));
  const before = await files();
  await expectComplete(place);
  const after = await files();
  expect([...before].filter((line) => !after.has(line))).toEqual([]);
}

const FULL = 'no space left on device\nktadmin: hint: free some space and run the command again\n';

test.skipIf(!isRoot).each(someOf(['4k', '12k']))(
  'a disk of %s is full while the key is made: a clear error, nothing half made',
  async (size) => {
    const disk = await smallDisk(size);
    const place = await freshPlace(disk.directory);
    const failed = await place.init();
    expect(failed).toMatchObject({ status: 1, stdout: '' });
    expect(withoutDrop(failed.stderr)).toBe(`ktadmin: error: gpg: ${FULL}`);
    expect((await names(place.directory)).filter(isTemporary)).toEqual([]);
    await disk.resize('200m');
    await expectKept(place);
  },
);

test.skipIf(!isRoot).each(someOf(['20k', '28k', '40k', '2m', '24m']))(
  'a disk of %s is full after the key: a clear error, nothing half made, and a second run completes it',
  async (size) => {
    const disk = await smallDisk(size);
    const place = await placeWithKey(disk.directory);
    const failed = await place.init();
    expect(failed).toMatchObject({ status: 1, stdout: '' });
    expect(failed.stderr.endsWith(FULL)).toBe(true);
    expect(withoutDrop(failed.stderr).replace(CREATING, '').split('\n')).toHaveLength(3);
    expect((await names(place.directory)).filter(isTemporary)).toEqual([]);
    expect(existsSync(join(place.pgRootdir, 'data'))).toBe(false);
    await disk.resize('200m');
    await expectKept(place);
  },
);
