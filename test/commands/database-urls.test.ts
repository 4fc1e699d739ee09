/** A server whose tables are in a database cluster that others run: `DATABASE_URLS`. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { depositor, putHeaders } from '../support/depositor.ts';
import { give } from '../support/faults.ts';
import { type ForeignCluster, foreignCluster } from '../support/foreign-cluster.ts';
import { type Outcome, type TestServer, testServer, until, withoutDrop } from '../support/sandbox.ts';
import { configure, serving } from '../support/serving.ts';

let cluster: ForeignCluster;
let server: TestServer;
let other: TestServer;

const NOTHING_STARTED = 'the database is elsewhere (DATABASE_URLS): nothing was started\n';

/** A server without a database of its own, whose key is that of every server of these tests. */
async function stateless(atEnd: (cleanUp: () => Promise<void>) => void): Promise<TestServer> {
  const made = await testServer({ start: false, atEnd });
  await rm(made.pgRootdir, { recursive: true });
  const passwords = join(made.confdir, 'database-password');
  await writeFile(passwords, `${cluster.password}\n`);
  await chmod(passwords, 0o600);
  await give(passwords);
  await configure(made, { DATABASE_URLS: cluster.urls, DATABASE_PASSWORD_FILE: passwords, METRICS_PORT: 0 });
  return made;
}

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  const atEnd = (cleanUp: () => Promise<void>) => void cleanUps.unshift(cleanUp);
  cluster = await foreignCluster(atEnd);
  server = await stateless(atEnd);
  other = await stateless(atEnd);
  const started = await server.ktadmin(['db', 'start']);
  expect(told(started)).toEqual({
    status: 0,
    stdout: '',
    stderr: `applied migration 0001-initial\napplied migration 0002-server\n${NOTHING_STARTED}`,
  });
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const told = ({ status, stdout, stderr }: Outcome) => ({ status, stdout, stderr: withoutDrop(stderr) });
const hosts = () => cluster.urls.map((url) => new URL(url).host);

test('the tables are those of the host that takes writes, wherever it stands in the list', async () => {
  expect(told(await server.ktadmin(['db', 'start']))).toEqual({
    ...{ status: 0, stdout: '', stderr: NOTHING_STARTED },
  });
  const [passive, active] = hosts();
  expect(told(await server.ktadmin(['db', 'status']))).toEqual({
    ...{ status: 0, stdout: `${passive}  is read-only\n${active}  takes writes\n`, stderr: '' },
  });
  expect((await server.ktadmin(['doctor'])).stdout).toContain(
    `OK        database     ${passive}: is read-only; ${active}: takes writes\n`,
  );
  expect(told(await server.ktadmin(['config', 'check']))).toEqual({
    ...{ status: 0, stdout: '', stderr: 'no faults\n' },
  });
});

test.each([
  [['db', 'stop'], 'nothing was stopped', 'those who run that database do this with its own means'],
  [['db', 'restart'], 'nothing was started anew', 'those who run that database do this with its own means'],
  [
    ['backup', '--cleartext', '-q'],
    'it is backed up where it is',
    'copy the configuration directory, too: see BACKUP in docs/external-database.md',
  ],
])('%j is refused', async (words, what, hint) => {
  expect(told(await server.ktadmin(words))).toEqual({
    status: 3,
    stdout: '',
    stderr: `ktadmin: error: the database is elsewhere (DATABASE_URLS): ${what}\nktadmin: hint: ${hint}\n`,
  });
});

test('init makes no cluster, and nobody is shown a password', async () => {
  const urls = cluster.urls.map((url) => url.replace('keytrustee@', 'keytrustee:p%40ss%2Fw@'));
  const odd = await testServer({ start: false });
  await rm(odd.pgRootdir, { recursive: true });
  await configure(odd, { DATABASE_URLS: urls });
  expect((await odd.ktadmin(['init'])).status).toBe(0);
  expect(existsSync(odd.pgRootdir)).toBe(false);
  for (const words of [
    ['config', 'show'],
    ['config', 'show', '--json'],
    ['config', 'show', '--origin'],
    ['doctor'],
  ]) {
    const { stdout, stderr } = await odd.ktadmin(words);
    expect(`${stdout}${stderr}`).not.toContain('p%40ss');
  }
  const [passive, active] = hosts();
  const refused = `${passive}: it refuses the password; ${active}: it refuses the password`;
  expect(told(await odd.ktadmin(['orgtool', 'list']))).toEqual({
    status: 4,
    stdout: '',
    stderr: `ktadmin: error: no host of DATABASE_URLS answers (${refused})\nktadmin: hint: correct DATABASE_PASSWORD_FILE or DATABASE_URLS, or pg_hba.conf of the hosts\n`,
  });
});

test('a certificate of another authority is not trusted', async () => {
  const odd = await testServer({ start: false });
  const own = join(odd.confdir, '.ssl', 'ssl-cert-keytrustee.pem');
  await configure(odd, { DATABASE_URLS: cluster.urls.map((url) => url.replace(cluster.ca, own)) });
  const { status, stderr } = await odd.ktadmin(['orgtool', 'list']);
  expect(status).toBe(8);
  expect(stderr).toContain('its certificate is not trusted');
});

test('two servers serve what one of them took; a failover stops writes alone, and loses nothing', async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  const [one, two] = [await serving(server), await serving(other)];
  const near = await depositor(server, one, 'prod');
  const far = await depositor(server, two, 'prod');
  const body = randomBytes(100);
  const headers = putHeaders(body);
  const put = (by = near) => by.ask('POST', '/v1/deposits?handle=kept', { body, headers });
  expect((await put()).status).toBe(201);

  // A session is one server's: the other wants another proof, and gives a session of its own.
  const authorization = { headers: { authorization: far.authorization } };
  expect((await near.ask('GET', '/v1/client', authorization)).status).toBe(401);
  expect((await far.ask('GET', '/v1/client')).status).toBe(200);

  const [active, passive] = cluster.members;
  await active.stop('SIGKILL');
  const got = await near.ask('GET', '/v1/handles/kept');
  expect([got.status, createHash('sha256').update(got.body).digest('hex')]).toEqual([
    200,
    createHash('sha256').update(body).digest('hex'),
  ]);
  // What a host that takes no writes does not have may be there all the same.
  expect((await near.ask('GET', '/v1/handles/none')).json).toMatchObject({ error: { code: 'unavailable' } });
  expect((await near.ask('GET', '/v1/deposits?limit=10')).status).toBe(200);
  expect((await far.ask('GET', '/v1/health/ready')).status).toBe(200);
  const refused = await near.put('refused');
  expect([refused.status, refused.headers['retry-after']]).toEqual([503, expect.any(String)]);
  const [passiveHost, activeHost] = hosts();
  expect((await server.ktadmin(['orgtool', 'list'])).stderr).toContain(
    `no host of DATABASE_URLS takes writes now (${passiveHost}: is read-only; ${activeHost}: nobody listens there)`,
  );

  await passive.promote();
  await until(async () => (await near.put('more')).status === 201, 'the new host is found');
  expect((await put()).status).toBe(200);
  // What reads finds the new host by itself, a moment later.
  await until(async () => (await near.ask('GET', '/v1/handles/none')).status === 404, 'reads find it, too');
  expect((await server.ktadmin(['doctor'])).stdout).toContain(
    `WARNING   database     ${passiveHost}: takes writes; ${activeHost}: nobody listens there; next: see to the hosts`,
  );
});
