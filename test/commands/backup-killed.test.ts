/** kill -9 at each named step of a backup: no good set is lost, none is made up, and the next run finishes the work. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BACKUP_STEPS } from '../../src/lib/backups/steps.ts';
import { ownedDirectory, type TestServer, testServer, until } from '../support/sandbox.ts';
import { backup, setsIn } from '../support/sets.ts';

/** A run that must succeed once PostgreSQL has freed the lock of the dead one. */
async function rerun(server: TestServer, args: string[]): Promise<void> {
  await until(async () => {
    const again = await server.ktbackup(args);
    if (again.status !== 0) expect(again).toMatchObject({ status: 75 });
    return again.status === 0;
  }, 'the next run succeeds');
}

test.each(BACKUP_STEPS)(
  'killed at %s: two good sets at least, and the next run leaves exactly two',
  async (step) => {
    const server = await testServer();
    const output = await ownedDirectory(server.directory, 'backups');
    for (let count = 0; count < 4; count += 1) await backup(server);
    const args = ['--cleartext', '--quiet', '--roll=2', `--output=${output}`];
    const before = await setsIn(output);
    const killed = await server.ktbackup(args, { env: { KTADMIN_KILL_AT: step } });
    expect(killed).toMatchObject({ signal: 'SIGKILL', stdout: '' });
    const left = await readdir(output);
    const complete = left.filter((name) => name.endsWith('.tar'));
    expect(complete.length).toBeGreaterThanOrEqual(2);
    for (const name of complete) expect(left).toContain(`${name}.receipt.asc`);
    if (step === 'backup-receipt-written') expect(complete).toEqual(before);
    else expect(complete.filter((name) => !before.includes(name))).toHaveLength(1);

    await rerun(server, args);
    const sets = await setsIn(output);
    expect(sets).toHaveLength(2);
    const receipts = (await readdir(output)).filter((name) => name.endsWith('.asc'));
    expect(receipts.toSorted()).toEqual(sets.map((name) => `${name}.receipt.asc`));
    const restored = await server.ktadmin(['restore', join(output, sets[1] ?? ''), '--yes']);
    expect(restored.status, restored.stderr).toBe(0);
  },
);
