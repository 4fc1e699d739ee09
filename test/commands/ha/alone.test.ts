/** What one server of a pair acknowledged alone, after `ktadmin ha sync off`: nobody gives it up unasked. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { must, sharedPair } from '../../support/pair.ts';
import { isAlive } from '../../support/processes.ts';
import { refusal, said } from '../../support/refusal.ts';
import { freePort, replaceIn, type TestServer, until } from '../../support/sandbox.ts';

const pair = sharedPair();

const says = async (server: TestServer, ...words: string[]) => said(await server.ktadmin(words));

const aloneSince = async (server: TestServer): Promise<string | null> =>
  ((await pair.node(server)) as { aloneSince?: string | null }).aloneSince ?? null;

async function killPostgres({ pgRootdir }: TestServer): Promise<void> {
  const pid = Number.parseInt(await readFile(join(pgRootdir, 'data/postmaster.pid'), 'utf8'), 10);
  process.kill(pid, 'SIGKILL');
  await until(async () => !(await isAlive(pid)), 'PostgreSQL has ended');
}

test('defect: rejoin discarded unasked what a server had acknowledged alone, after sync off', async () => {
  const { active: first, passive: second } = pair;
  expect([await aloneSince(first), await aloneSince(second)]).toEqual([null, null]);
  await must(second.ktadmin(['db', 'stop']));
  await must(first.ktadmin(['ha', 'sync', 'off']));
  const since = await aloneSince(first);
  await must(first.orgtool(['add', '-n', 'on-one-only', '-c', 'root@localhost']));
  await killPostgres(first);
  await must(second.ktadmin(['db', 'start']));
  await must(second.ktadmin(['ha', 'promote', '--sync-was-on']));
  const other = `localhost (port ${second.port})`;
  expect(await says(first, 'db', 'start')).toEqual({
    ...{ status: 0, stdout: '' },
    stderr:
      `PostgreSQL runs on port ${first.port}\n` +
      `ktadmin: warning: since ${since} changes counted on this server alone: ${other} lacks what was acknowledged then\n` +
      `ktadmin: warning: the pair goes on without this server: ${other} is active, epoch 2; this one serves nothing\n` +
      'ktadmin: hint: ktadmin ha rejoin makes it the passive server\n',
  });
  const status = JSON.parse((await first.ktadmin(['ha', 'status', '--json'])).stdout);
  expect(status.remarks[0]).toMatchObject({
    code: 'fenced',
    message: `fenced: the pair went on without this server; since ${since?.slice(0, 19)}Z changes counted on it alone`,
  });
  const next =
    'on localhost: ktadmin ha rejoin --accept-data-loss, which keeps its data beside the new ones; bring over what only they have, see ktadmin-ha(8)';
  const itsStatus = JSON.parse((await second.ktadmin(['ha', 'status', '--json'])).stdout);
  expect(itsStatus.remarks).toContainEqual({
    ...{ severity: 'warning', code: 'peer-fenced', next },
    message: `localhost is fenced: the pair went on without it; since ${since?.slice(0, 19)}Z changes counted on it alone`,
  });
  expect(await says(second, 'ha', 'sync', 'on')).toEqual(
    refusal(3, 'localhost is fenced: the pair went on without it', next),
  );
  const told = `since ${since} changes counted on this server alone; what localhost lacks of them is lost unless it is brought over`;
  const take = (option: string) => `${option} takes the data of localhost, and keeps these beside them`;
  expect(await says(first, 'ha', 'rejoin')).toEqual(refusal(3, told, take('--accept-data-loss')));
  expect(await says(first, 'ha', 'join', '--active', `localhost:${second.port}`)).toEqual(
    refusal(3, told, take('--replace-data')),
  );
  expect(await first.query('select name from organization')).toBe('on-one-only');
  const ended = await says(first, 'ha', 'rejoin', '--accept-data-loss');
  const kept = (await readdir(first.pgRootdir)).filter((name) => name.startsWith('data.before-'));
  expect(ended).toEqual({
    ...{ status: 0, stdout: 'passive: follows localhost, epoch 2\n' },
    stderr:
      `what was here is kept in ${join(first.pgRootdir, kept[0] ?? 'nowhere')}; ktadmin-ha(8) says how to look into it\n` +
      'next, on localhost: ktadmin ha sync on\n',
  });
  expect([await aloneSince(first), await aloneSince(second)]).toEqual([null, expect.any(String)]);
  await must(second.ktadmin(['ha', 'sync', 'on']));
  expect([await aloneSince(first), await aloneSince(second)]).toEqual([null, null]);
});

test('defect: sync off asked nobody, and both servers took writes once the passive one was promoted', async () => {
  const { active: second, passive: first } = { active: pair.passive, passive: pair.active };
  const file = join(second.pgRootdir, 'replication/node.json');
  const [real, silent] = ['"host": "localhost"', '"host": "nowhere.invalid"'];
  await replaceIn(file, [[real, silent]]);
  expect(await says(second, 'ha', 'sync', 'off')).toMatchObject({
    ...{ status: 3, stdout: '' },
    stderr: expect.stringMatching(
      /^ktadmin: error: nobody knows whether nowhere.invalid was promoted: .*\nktadmin: hint: --not-promoted, where/,
    ),
  });
  await replaceIn(file, [[silent, real]]);
  const itsFile = join(first.pgRootdir, 'replication/node.json');
  const [open, closed] = [`"port": ${second.port}`, `"port": ${await freePort()}`];
  // As where the link is cut.
  await replaceIn(itsFile, [[open, closed]]);
  await must(first.ktadmin(['ha', 'promote', '-q']));
  expect(await says(second, 'ha', 'sync', 'off')).toEqual(
    refusal(
      3,
      'the pair went on without this server: localhost is active, epoch 3',
      'ktadmin ha rejoin makes it the passive server',
    ),
  );
  expect(await second.query("select current_setting('keytrustee.role')")).toBe('fenced');
});
