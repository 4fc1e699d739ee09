/** Retention by whole runs: clocks that jump, time zones, summer time, and a set that cannot be deleted. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inNamespace } from '../support/faults.ts';
import { isRoot, ownedDirectory, run, type TestServer, testServer, withoutDrop } from '../support/sandbox.ts';
import { backup, setsIn } from '../support/sets.ts';

const faketime = spawnSync('faketime', ['--version']).status === 0;

/** A backup whose clock is `seconds` from the real one; the name of its set. */
async function backupAt(server: TestServer, seconds: number, roll: number, TZ = 'UTC'): Promise<string> {
  const output = join(server.directory, 'backups');
  const shift = `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}s`;
  const words = ['ktbackup', '--cleartext', '-q', `--roll=${roll}`, `--output=${output}`];
  const made = await run('faketime', ['-f', shift, ...words], {
    env: { KEYTRUSTEE_CONFDIR: server.confdir, TZ, FAKETIME_DONT_FAKE_MONOTONIC: '1' },
  });
  expect({ status: made.status, stderr: withoutDrop(made.stderr) }).toEqual({ status: 0, stderr: '' });
  return made.stdout.trim().slice(output.length + 1);
}

const sorted = (...names: string[]) => names.toSorted();
const YEAR = 365 * 86_400;

test.skipIf(!faketime)(
  'a clock that jumps back a year and forth ten deletes nothing good (needs faketime)',
  async () => {
    const server = await testServer();
    const output = await ownedDirectory(server.directory, 'backups');
    const first = await backupAt(server, 0, 3);
    const past = await backupAt(server, -YEAR, 3);
    const future = await backupAt(server, 10 * YEAR, 3);
    expect(await setsIn(output)).toEqual(sorted(first, past, future));
    const second = await backupAt(server, 1, 3);
    const third = await backupAt(server, 2, 3);
    expect(await setsIn(output)).toEqual(sorted(first, past, future, second, third));
    // Now three good ones are newer than the first two by any measure. The one of the future is none of the three.
    const fourth = await backupAt(server, 3, 3);
    expect(await setsIn(output)).toEqual(sorted(future, second, third, fourth));
  },
);

test.skipIf(!faketime)(
  'the hour that summer time repeats, and other time zones, change no order (needs faketime)',
  async () => {
    const server = await testServer();
    const output = await ownedDirectory(server.directory, 'backups');
    const from = (time: string) => Math.round((Date.parse(time) - Date.now()) / 1000);
    // 02:59:30 and, half an hour later, 02:29:30 in Berlin.
    const summer = await backupAt(server, from('2026-10-25T00:59:30Z'), 2, 'Europe/Berlin');
    const winter = await backupAt(server, from('2026-10-25T01:29:30Z'), 2, 'Europe/Berlin');
    expect(await setsIn(output)).toEqual([summer, winter]);
    const east = await backupAt(server, from('2026-10-25T02:00:00Z'), 2, 'Pacific/Kiritimati');
    expect(await setsIn(output)).toEqual([winter, east]);
    const west = await backupAt(server, from('2026-10-25T03:00:00Z'), 2, 'Pacific/Honolulu');
    expect(await setsIn(output)).toEqual([east, west]);
  },
);

test.skipIf(!isRoot)(
  'a set that cannot be deleted is told of, and the new one stays (needs root: mounts a file)',
  async () => {
    const server = await testServer();
    const output = await ownedDirectory(server.directory, 'backups');
    const sets = [await backup(server), await backup(server)];
    const [busy = ''] = sets;
    // A file that something is mounted on cannot be removed.
    const rolled = await inNamespace(
      `mount --bind ${busy} ${busy}; exec ktbackup --cleartext --quiet --roll=1 --output=${output}`,
      { env: { KEYTRUSTEE_CONFDIR: server.confdir } },
    );
    const names = (await setsIn(output)).map((name) => join(output, name));
    expect(names).toHaveLength(3);
    expect(names).toEqual(expect.arrayContaining(sets));
    // Made within the same second, it stands before the other one by its name.
    const [made] = names.filter((name) => !sets.includes(name));
    expect({ ...rolled, stderr: withoutDrop(rolled.stderr) }).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining(
        `ktadmin: error: the backup ${made} was made, but older sets could not be deleted: ${busy}: is in use\n`,
      ) as string,
    });
    expect((await server.ktbackup(['--cleartext', '-q', '--roll=1', `--output=${output}`])).status).toBe(0);
    expect(await setsIn(output)).toHaveLength(1);
  },
);
