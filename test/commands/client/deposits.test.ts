/** `keytrustee put`, `get`, `list`, `delete` and `recover`, against a real server. */
import { randomBytes } from 'node:crypto';
import { lstat, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import {
  certifyLocalhost,
  type Machine,
  newMachine,
  organizationCode,
  registeredMachine,
  wayTo,
} from '../../support/keytrustee.ts';
import { freePort, type Outcome, ownedDirectory, run, sharedServer, until } from '../../support/sandbox.ts';
import { configure, type Serving, serving, sharedServing } from '../../support/serving.ts';

interface Listed {
  id: string;
  handle: string | null;
  expires: string | null;
  retrievalsLeft: number | null;
}

const server = sharedServer();
const running = sharedServing(server, async () => {
  await certifyLocalhost(server);
  // All of these machines have one address, and are more than it may be.
  await configure(server, { RATE_LIMIT_ADDRESS: 100_000 });
});
let code: string;
let machine: Machine;

beforeAll(async () => {
  code = await organizationCode(server, 'prod');
  machine = await registered(running.port);
});

const registered = (port: number, args: string[] = []) =>
  registeredMachine(server, { port, organization: 'prod', code }, args);

const told = ({ status, stdout, stderr }: Outcome) => ({ status, stdout, stderr });
const ID = /^[0-9A-Za-z]{43}\n$/;

/** Puts bytes by a file; returns the outcome. */
async function put(on: Machine, content: Uint8Array, args: string[] = []): Promise<Outcome> {
  const file = join(await mkdtemp(join(server.directory, 'content-')), 'file');
  await writeFile(file, content);
  return on.keytrustee(['put', ...args, file]);
}

/** What `get` wrote into a file. */
async function got(on: Machine, name: string): Promise<Buffer> {
  const file = join(await mkdtemp(join(server.directory, 'got-')), 'file');
  const outcome = await on.keytrustee(['get', name, '-o', file]);
  if (outcome.status !== 0) throw new Error(outcome.stderr);
  expect((await lstat(file)).mode & 0o777).toBe(0o600);
  return readFile(file);
}

test.each([
  ['nothing', Buffer.alloc(0)],
  ['every byte', Buffer.from(Array.from({ length: 256 }, (_, index) => index))],
  ['all that fits', randomBytes(1024 * 1024 - 600)],
])('%s comes back as it was stored', async (_what, content) => {
  const stored = await put(machine, content);
  expect(told(stored)).toEqual({ status: 0, stdout: expect.stringMatching(ID), stderr: '' });
  expect(content.equals(await got(machine, stored.stdout.trim()))).toBe(true);
  expect(await readdir(join(machine.home, 'pending'))).toEqual([]);
});

test('defect: a get into a file that could not be written spent the last retrieval, and the deposit was lost', async () => {
  const id = (await put(machine, Buffer.from('once'), ['--retrievals', '1'])).stdout.trim();
  const place = await mkdtemp(join(server.directory, 'bad-'));
  await symlink('nowhere', join(place, 'link'));
  await writeFile(join(place, 'file'), '');
  const bad = [
    ['missing/file', 5, 'no such file'],
    ['file/file', 1, 'not a directory'],
    ['', 6, 'is no plain file'],
    ['link', 6, 'is no plain file'],
  ] as const;
  for (const [name, status, why] of bad) {
    const file = join(place, name);
    const outcome = await machine.keytrustee(['get', id, '-o', file]);
    expect([name, outcome.status, outcome.stdout]).toEqual([name, status, '']);
    expect(outcome.stderr).toContain(file);
    expect(outcome.stderr).toContain(why);
    expect(outcome.stderr).not.toContain('.part');
  }
  const missing = await machine.keytrustee(['get', 'missing', '-o', join(place, 'file')]);
  expect(missing).toMatchObject({ status: 5 });
  expect((await readdir(place)).toSorted()).toEqual(['file', 'link']);
  expect((await got(machine, id)).toString()).toBe('once');
});

test('standard input and output carry the content, and nothing else', async () => {
  const handle = `Schlüssel/1 + % ${'x'.repeat(238)}`;
  const stored = await machine.keytrustee(['put', '--handle', handle, '-'], { input: 'a\nb' });
  expect(told(stored)).toEqual({ status: 0, stdout: expect.stringMatching(ID), stderr: '' });
  expect(told(await machine.keytrustee(['get', handle]))).toEqual({ status: 0, stdout: 'a\nb', stderr: '' });
  const asJson = await machine.json<{ content: string; handle: string }>(['get', stored.stdout.trim()]);
  expect(asJson).toMatchObject({ id: stored.stdout.trim(), handle, size: 3, content: 'YQpi' });
});

test('more than fits is refused before anything is sent, with what would fit', async () => {
  const almost = await put(machine, randomBytes(1024 * 1024 - 10));
  expect(almost).toMatchObject({ status: 2, stdout: '' });
  const [, most] = /the content can have (\d+) bytes here/.exec(almost.stderr) ?? [];
  expect(await put(machine, randomBytes(Number(most)))).toMatchObject({ status: 0 });
  const far = await machine.keytrustee(['put', '-'], { input: 'x'.repeat(3_000_000) });
  expect(far).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('at most 1 MiB') });
});

test('a deposit is listed, deleted and recovered; what is not there is status 5, a handle in use 6', async () => {
  const own = await registered(running.port);
  expect(told(await own.keytrustee(['list']))).toEqual({ status: 0, stdout: '', stderr: 'no deposits\n' });
  const id = (
    await put(own, Buffer.from('a'), ['--handle', 'k', '--ttl', '1h', '--retrievals', '9'])
  ).stdout.trim();
  const [listed] = await own.json<Listed[]>(['list']);
  expect(listed).toMatchObject({ id, handle: 'k', retrievalsLeft: 9 });
  expect(Date.parse(listed?.expires ?? '') - Date.now()).toBeGreaterThan(3_000_000);
  expect(told(await put(own, Buffer.from('b'), ['--handle', 'k']))).toEqual({
    status: 6,
    stdout: '',
    stderr:
      'ktadmin: error: a deposit has the handle "k" already\nktadmin: hint: choose another handle, or delete that deposit first\n',
  });
  expect(await readdir(join(own.home, 'pending'))).toEqual([]);
  expect(await machine.keytrustee(['get', id])).toMatchObject({ status: 5, stdout: '' });
  expect(told(await own.keytrustee(['delete', 'k', '-q']))).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(await own.keytrustee(['get', 'k'])).toMatchObject({ status: 5, stdout: '' });
  expect(await own.keytrustee(['delete', 'k'])).toMatchObject({ status: 5 });
  expect(await own.json(['list'])).toEqual([]);
  expect(await own.json(['list', '--deleted'])).toMatchObject([{ id, handle: 'k' }]);
  expect(told(await own.keytrustee(['recover', id]))).toEqual({ status: 0, stdout: `${id}\n`, stderr: '' });
  expect((await got(own, 'k')).toString()).toBe('a');
});

test('GnuPG decrypts what the server keeps, with the key that the client has', async () => {
  const id = (await put(machine, Buffer.from('for GnuPG'))).stdout.trim();
  const home = await mkdtemp(join(server.directory, 'gnupg-'));
  onTestFinished(async () => void (await run('gpgconf', ['--homedir', home, '--kill', 'all'])));
  const gpg = (args: string[]) => run('gpg', ['--homedir', home, '--batch', '--status-fd', '2', ...args]);
  expect(await gpg(['--import', join(machine.home, 'client.key')])).toMatchObject({ status: 0 });
  const bytes = await server.query(`select encode(content, 'hex') from public.deposit where uuid = '${id}'`);
  const file = join(home, 'deposit.gpg');
  await writeFile(file, Buffer.from(bytes, 'hex'));
  const decrypted = await gpg(['--decrypt', file]);
  expect(decrypted).toMatchObject({ status: 0, stdout: 'for GnuPG' });
  expect(decrypted.stderr).toMatch(/GOODSIG[\s\S]*GOODMDC/);
});

test('what somebody changed on the server is refused, and nothing of it is written', async () => {
  const own = await registered(running.port);
  const id = (await put(own, Buffer.from('mine'), ['--handle', 'a'])).stdout.trim();
  const other = (await put(own, Buffer.from('other'), ['--handle', 'b'])).stdout.trim();
  const set = (bytes: string) =>
    server.query(`with new as (select ${bytes} as content)
      update public.deposit set content = new.content, sha256 = sha256(new.content) from new where uuid = '${id}'`);
  const from = (uuid: string) => `(select content from public.deposit where uuid = '${uuid}')`;
  const out = join(own.home, 'out');
  const refused = async () => {
    const outcome = await own.keytrustee(['get', id, '-o', out]);
    expect(outcome).toMatchObject({ status: 8, stdout: '' });
    expect(outcome.stderr).toMatch(/^ktadmin: error: the deposit is not what this client stored: /);
    expect(await own.keytrustee(['get', 'a'])).toMatchObject({ status: 8, stdout: '' });
    expect(await lstat(out).catch(({ code: why }: { code: string }) => why)).toBe('ENOENT');
  };
  await set(`set_byte(${from(id)}, 300, 255 - get_byte(${from(id)}, 300))`);
  await refused();
  await set(from(other));
  await refused();
});

test('a put whose answer is lost is sent again, and stored once', async () => {
  const way = await wayTo(server, running.port);
  const own = await registered(way.port);
  let lost = 0;
  way.isLost = (method, path) => method === 'POST' && path.startsWith('/v1/deposits') && ++lost <= 2;
  const stored = await put(own, Buffer.from('once'), ['--handle', 'x']);
  expect(told(stored)).toEqual({ status: 0, stdout: expect.stringMatching(ID), stderr: '' });
  expect(lost).toBe(3);
  expect(await own.json(['list'])).toMatchObject([{ id: stored.stdout.trim(), handle: 'x' }]);
  let deletions = 0;
  way.isLost = (method) => method === 'DELETE' && ++deletions === 1;
  expect(await own.keytrustee(['delete', 'x'])).toMatchObject({ status: 0 });
  expect(deletions).toBe(2);
});

test('a put that is killed before it hears the answer can be run again, and is stored once', async () => {
  const way = await wayTo(server, running.port);
  const own = await registered(way.port);
  const file = join(own.home, 'content');
  await writeFile(file, 'once');
  let kill = () => {};
  way.isLost = (method, path) => {
    if (method === 'POST' && path.startsWith('/v1/deposits')) kill();
    return false;
  };
  const killed = await own.keytrustee(['put', file], {
    started: (child) => (kill = () => void child.kill('SIGKILL')),
  });
  expect(killed).toMatchObject({ signal: 'SIGKILL', stdout: '' });
  expect(await own.json(['list'])).toHaveLength(1);
  kill = () => {};
  const again = await own.keytrustee(['put', file]);
  expect(told(again)).toEqual({ status: 0, stdout: expect.stringMatching(ID), stderr: '' });
  expect(await own.json(['list'])).toMatchObject([{ id: again.stdout.trim() }]);
  const another = await own.keytrustee(['put', file]);
  expect(another.stdout).not.toBe(again.stdout);
});

test.each(['expires_at = now()', 'retrievals_left = 0', 'deleted_at = now()'])(
  'defect: a put that is run again was told that it is kept, though what the run before stored is gone (%s)',
  async (end) => {
    const way = await wayTo(server, running.port);
    const own = await registered(way.port);
    const file = join(own.home, 'content');
    await writeFile(file, 'again');
    const words = ['put', file, '--handle', 'again', '--retrievals', '3'];
    let kill = () => {};
    way.isLost = (method, path) => {
      if (method === 'POST' && path.startsWith('/v1/deposits')) kill();
      return false;
    };
    await own.keytrustee(words, { started: (child) => (kill = () => void child.kill('SIGKILL')) });
    kill = () => {};
    const [stored] = await own.json<Listed[]>(['list']);
    await server.query(`update public.deposit set ${end} where uuid = '${stored?.id}'`);
    const again = await own.keytrustee(words);
    expect(told(again)).toEqual({ status: 0, stdout: expect.stringMatching(ID), stderr: '' });
    expect(again.stdout.trim()).not.toBe(stored?.id);
    expect((await got(own, 'again')).toString()).toBe('again');
    expect(await readdir(join(own.home, 'pending'))).toEqual([]);
  },
);

/** A second server on the same database, as a passive one is, with a configuration of its own. */
async function another(port: number): Promise<Serving> {
  const confdir = join(await ownedDirectory(server.directory, `another-${port}`), '.keytrustee');
  await run('cp', ['-a', server.confdir, confdir]);
  return serving(server, { args: ['--port', `${port}`], env: { KEYTRUSTEE_CONFDIR: confdir } });
}

test('what one server does not answer goes to the other, which is asked first once it took a write', async () => {
  const port = await freePort();
  const first = await another(port);
  const own = await registered(port, ['--passive-server', `https://localhost:${running.port}`]);
  const id = (await put(own, Buffer.from('both'))).stdout.trim();
  first.kill('SIGKILL');
  await first.ended;
  const reason = `https://localhost:${port} does not answer (ECONNREFUSED)`;
  const stderr = `ktadmin: warning: ${reason}; https://localhost:${running.port} answered\n`;
  expect(told(await own.keytrustee(['get', id]))).toEqual({ status: 0, stdout: 'both', stderr });
  expect(told(await own.keytrustee(['delete', id, '-q']))).toEqual({ status: 0, stdout: '', stderr });
  expect(told(await own.keytrustee(['list', '--json']))).toEqual({ status: 0, stdout: '[]\n', stderr: '' });
  // Which server took the last write is remembered, and that one is believed.
  expect(await own.keytrustee(['get', 'missing'])).toMatchObject({ status: 5, stdout: '' });
  const { stdout } = await own.keytrustee(['status']);
  expect(stdout).toContain(`server        ${reason}\nserver        https://localhost:${running.port}, `);
});

test('defect: the key of a command that failed before the pipe was stored as an empty one', async () => {
  const before = await machine.json(['list']);
  for (const words of [['put'], ['put', '-']])
    expect(told(await machine.keytrustee(words, { input: '' }))).toEqual({
      status: 2,
      stdout: '',
      stderr:
        'ktadmin: error: nothing came on standard input: nothing was stored\nktadmin: hint: did the command before the pipe fail? An empty file is stored where it is named\n',
    });
  expect(await machine.json(['list'])).toEqual(before);
});

test('a server that comes back while the client tries is found', async () => {
  const port = await freePort();
  const first = await another(port);
  const own = await registered(port);
  first.kill('SIGTERM');
  await first.ended;
  const waiting = own.keytrustee(['put', '-'], { input: 'late' });
  await until(async () => (await readdir(join(own.home, 'pending'))).length === 1, 'the client has begun');
  await another(port);
  expect(await waiting).toMatchObject({ status: 0, stdout: expect.stringMatching(ID) });
});

test("a backup of the client's directory brings back its key, and so all that it stored", async () => {
  const own = await registered(running.port);
  const id = (await put(own, Buffer.from('backed up'))).stdout.trim();
  const sets = await mkdtemp(join(server.directory, 'sets-'));
  const words = ['--signing-home', join(sets, 'signing')];
  const made = await server.ktadmin([
    'backup',
    '--include',
    own.home,
    '--cleartext',
    '--quiet',
    '--output',
    sets,
    ...words,
  ]);
  expect(made).toMatchObject({ status: 0 });
  await rm(own.home, { recursive: true });
  expect(await own.keytrustee(['get', id])).toMatchObject({ status: 3, stdout: '' });
  const restored = await server.ktadmin(['restore', made.stdout.trim(), '--yes', ...words]);
  expect(restored).toMatchObject({ status: 0 });
  expect(told(await own.keytrustee(['get', id]))).toEqual({ status: 0, stdout: 'backed up', stderr: '' });
});

test('a handle that cannot be one is refused at once', async () => {
  const nobody = await newMachine(server);
  for (const handle of ['', 'a\nb', 'x'.repeat(256), 'A'.repeat(43)])
    expect(await machine.keytrustee(['put', `--handle=${handle}`, '-'])).toMatchObject({
      status: 2,
      stdout: '',
    });
  expect(await nobody.keytrustee(['get', 'a'])).toMatchObject({ status: 3 });
});
