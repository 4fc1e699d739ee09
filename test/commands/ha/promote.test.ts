/** The active server is lost under load: the passive one goes on with all that was acknowledged; the lost one comes back, and learns of it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { type Depositor, depositor } from '../../support/depositor.ts';
import { endForeground, takeOver } from '../../support/foreground.ts';
import { must, sharedPair } from '../../support/pair.ts';
import { isAlive } from '../../support/processes.ts';
import { type TestServer, until, withoutDrop } from '../../support/sandbox.ts';
import { configure, type Serving, serving } from '../../support/serving.ts';

const pair = sharedPair();
let served: Serving;
let client: Depositor;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  await configure(pair.active, { METRICS_PORT: 0, MAIL_TRANSPORT: 'none' });
  await must(pair.active.orgtool(['add', '-n', 'prod', '-c', 'root@localhost', '--quiet']));
  await must(pair.active.orgtool(['set-auth', '-n', 'prod', '-s', '']));
  served = await serving(pair.active, { atEnd: (cleanUp) => cleanUps.push(cleanUp) });
  client = await depositor(pair.active, served, 'prod');
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

async function killPostgres({ pgRootdir }: TestServer): Promise<void> {
  const pid = Number.parseInt(await readFile(join(pgRootdir, 'data/postmaster.pid'), 'utf8'), 10);
  process.kill(pid, 'SIGKILL');
  await until(async () => !(await isAlive(pid)), 'PostgreSQL has ended');
}

/** Puts until it is told to end; the handles of those that were acknowledged. */
function load() {
  const acknowledged: string[] = [];
  let isOn = true;
  const done = (async () => {
    for (let number = 0; isOn; number += 1) {
      const answer = await client.put(`content ${number}`, `handle=h${number}`);
      if (answer.status === 201) acknowledged.push(`h${number}`);
    }
  })();
  const end = () => {
    isOn = false;
    return done;
  };
  return { acknowledged, end };
}

/** What a server says without the line that only root sees. */
async function says(server: TestServer, words: string[]) {
  const { status, stdout, stderr } = await server.ktadmin(words);
  return { status, stdout, stderr: withoutDrop(stderr) };
}

const handles = async (server: TestServer) =>
  new Set((await server.query('select handle from deposit')).split('\n'));

const events = async (server: TestServer, event: string) =>
  (await must(server.ktadmin(['audit', 'show', '--event', event]))).stdout.replaceAll(/^\S+ +/gm, '');

test('kill -9 of the active PostgreSQL while a client puts: all that was acknowledged is on the promoted one', async () => {
  const { active, passive, node } = pair;
  const { acknowledged, end } = load();
  await until(() => acknowledged.length > 20, 'some puts were acknowledged');
  await killPostgres(active);
  const started = performance.now();
  const promoted = await says(passive, ['ha', 'promote']);
  process.stdout.write(`ha promote: ${Math.round(performance.now() - started)} ms of wall time\n`);
  expect(promoted).toEqual({
    status: 0,
    stdout: 'active: this server, since epoch 2\n',
    stderr:
      'not known here: whether ktadmin ha sync off was run on localhost; what it acknowledged after that is not here\n' +
      'ktadmin: warning: it goes on alone: what is written now is on no other server\n' +
      'ktadmin: hint: on localhost: ktadmin ha rejoin; then here: ktadmin ha sync on\n',
  });
  await end();
  const found = await handles(passive);
  expect(acknowledged.filter((handle) => !found.has(handle))).toEqual([]);
  expect(await node(passive)).toMatchObject({ role: 'active', epoch: 2 });
  expect(
    await passive.query(
      "select current_setting('keytrustee.role'), current_setting('synchronous_standby_names')",
    ),
  ).toBe('active|');
  await must(passive.orgtool(['add', '-n', 'after', '-c', 'root@localhost']));
  expect(await events(passive, 'ha.promote')).toMatch(
    /from=localhost {2}stopped=refused {2}acceptLoss=false\n$/,
  );
});

test('the old active server starts, finds out, and takes nothing; whoever asks it is told what to do', async () => {
  const { active, passive, node } = pair;
  const fenced = {
    status: 0,
    stdout: '',
    stderr:
      `PostgreSQL runs on port ${active.port}\n` +
      `ktadmin: warning: the pair goes on without this server: localhost (port ${passive.port}) is active, epoch 2; this one serves nothing\n` +
      'ktadmin: hint: ktadmin ha rejoin makes it the passive server\n',
  };
  expect(await says(active, ['db', 'start'])).toEqual(fenced);
  expect(await node(active)).toMatchObject({ role: 'fenced', epoch: 2 });
  expect(
    await active.query("select current_setting('keytrustee.role'), current_setting('transaction_read_only')"),
  ).toBe('fenced|on');
  expect(await events(active, 'ha.fenced')).toMatch(/active=localhost {2}epoch=2 {2}timeline=2\n$/);
  expect(await says(active, ['db', 'restart'])).toEqual(fenced);
  expect(await says(active, ['ha', 'promote'])).toEqual({
    ...{ status: 3, stdout: '' },
    stderr:
      'ktadmin: error: the pair went on without this server: what it has is old\n' +
      'ktadmin: hint: ktadmin ha rejoin makes it the passive server of localhost; then it can be promoted\n',
  });
});

test('it rejoins, the pair is synchronous again, and a planned switchover back loses nothing', async () => {
  const { active: first, passive: second, node } = pair;
  const keeper = await takeOver(first);
  const rejoined = await says(first, ['ha', 'rejoin']);
  expect({ ...rejoined, stderr: rejoined.stderr.replace(/\d+ bytes/, 'N bytes') }).toEqual({
    status: 0,
    stdout: 'passive: follows localhost, epoch 2\n',
    stderr:
      'taken back: N bytes of log that only this server had, and acknowledged to nobody\n' +
      'next, on localhost: ktadmin ha sync on\n',
  });
  expect(await node(first)).toMatchObject({ role: 'passive', epoch: 2 });
  expect(await first.query('select count(*) from pg_replication_slots')).toBe('0');
  expect((await says(first, ['ha', 'rejoin'])).stdout).toBe('passive: follows localhost, epoch 2\n');
  await must(second.ktadmin(['ha', 'sync', 'on']));
  await must(second.orgtool(['add', '-n', 'last', '-c', 'root@localhost']));
  const stop = `env KEYTRUSTEE_CONFDIR=${second.confdir} ktadmin -q db stop`;
  expect((await says(first, ['ha', 'promote', '--fence-command', stop])).stdout).toBe(
    'active: this server, since epoch 3\n',
  );
  expect(await first.query("select string_agg(name, ' ' order by name) from organization")).toBe(
    'after last prod',
  );
  expect(await says(second, ['ha', 'rejoin'])).toMatchObject({
    status: 0,
    stdout: 'passive: follows localhost, epoch 3\n',
  });
  await must(first.ktadmin(['ha', 'sync', 'on']));
  expect([await node(first), await node(second)]).toMatchObject([{ role: 'active' }, { role: 'passive' }]);
  // Who kept PostgreSQL in the foreground has gone on with the one that was rewound.
  await endForeground(first, keeper);
});
