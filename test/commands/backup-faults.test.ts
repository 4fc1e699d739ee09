import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import {
  fakePath,
  fakePostgres,
  give,
  inNamespace,
  marker,
  processesWith,
  tree,
  withOwnTmp,
} from '../support/faults.ts';
import { someOf } from '../support/long.ts';
import {
  isRoot,
  type Outcome,
  ownedDirectory,
  run,
  sharedServer,
  type TestServer,
  temporaryDirectory,
  testServer,
  until,
  withoutDrop,
  world,
} from '../support/sandbox.ts';
import { backup, setsIn } from '../support/sets.ts';

interface Place {
  server: TestServer;
  output: string;
  scratch: string;
}

const newScratch = async () => ownedDirectory(await temporaryDirectory(), 'scratch');

async function place(): Promise<Place> {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  const output = await ownedDirectory(server.directory, 'backups');
  return { server, output, scratch: await newScratch() };
}

/** The server of all those tests after which it is as it was before, and its one set. */
const common = sharedServer();
let earlier: string;

beforeAll(async () => {
  await common.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  earlier = await backup(common);
});

/** The common server, with a directory of its own for sets. */
async function commonPlace(): Promise<Place> {
  const scratch = await newScratch();
  return { server: common, output: await ownedDirectory(dirname(scratch), 'backups'), scratch };
}

const brief = ({ status, stdout, stderr }: Outcome) => ({ status, stdout, stderr: withoutDrop(stderr) });
const ENCRYPTED = ['--gpg-recipient=John Doe', '--quiet'];

/** A fake that announces itself, waits until it is let go or the test has ended, and then goes on as the text says. */
const held = (scratch: string, then: string) =>
  `touch ${scratch}/held; while [ -d ${scratch} ] && [ ! -e ${scratch}/go ]; do sleep 0.05; done; ${then}`;

test.each<[string, string, number, RegExp]>([
  [
    'exits 1',
    'echo "pg_dump: error: broken" >&2; exit 1',
    1,
    /^ktadmin: error: pg_dump failed \(exit status 1\): pg_dump: error: broken\n$/,
  ],
  [
    'dies by a signal',
    '"$REAL" "$@" | head -c 2000; kill -KILL $$',
    1,
    /^ktadmin: error: pg_dump failed \(signal SIGKILL\)\n$/,
  ],
  [
    'is cut short and exits 0',
    '"$REAL" "$@" | head -c 2000; exit 0',
    1,
    /^ktadmin: error: what pg_dump wrote is not a whole dump\n$/,
  ],
  ['says nothing and exits 0', 'exit 0', 1, /^ktadmin: error: what pg_dump wrote is not a whole dump\n$/],
  [
    'loses its beginning and exits 0',
    '"$REAL" "$@" | tail -n +10',
    1,
    /^ktadmin: error: what pg_dump wrote is not a whole dump\n$/,
  ],
  [
    'fails after all of its output',
    '"$REAL" "$@"; exit 3',
    1,
    /^ktadmin: error: pg_dump failed \(exit status 3\)\n$/,
  ],
])('a pg_dump that %s publishes nothing', async (_, script, status, stderr) => {
  const [output, scratch] = [dirname(earlier), await newScratch()];
  const term = marker();
  const fake = await fakePostgres(scratch, { pg_dump: script });
  for (const how of [ENCRYPTED, ['--cleartext', '--quiet']]) {
    const failed = await common.ktbackup([...how, '--roll=1', `--output=${output}`], {
      env: { PG_BINDIR: fake, TERM: term },
    });
    expect(brief(failed)).toEqual({ status, stdout: '', stderr: expect.stringMatching(stderr) as string });
    expect((await setsIn(output)).map((name) => join(output, name))).toEqual([earlier]);
  }
  expect(await processesWith(term)).toEqual([]);
});

test.each<[string, string, string]>([
  ['cannot sign', '*--clearsign*', 'exit 2'],
  ['dies while it signs', '*--clearsign*', 'kill -KILL $$'],
  ['cannot export the recipient', '*--export*', 'exit 2'],
  ['cannot encrypt', '*--encrypt*', 'exit 2'],
  ['dies while it encrypts', '*--encrypt*', 'head -c 2000 >/dev/null; kill -KILL $$'],
  ['fails after it has encrypted everything', '*--encrypt*', '"$REAL" "$@"; exit 2'],
])('a gpg that %s publishes nothing', async (_, option, then) => {
  const { server, output, scratch } = await commonPlace();
  const PATH = await fakePath(scratch, { gpg: `case "$*" in ${option}) ${then};; esac; exec "$REAL" "$@"` });
  const failed = await server.ktbackup([...ENCRYPTED, `--output=${output}`], { env: { PATH } });
  const how = then.includes('kill -KILL') ? 'signal SIGKILL' : 'exit status 2';
  expect(brief(failed)).toEqual({
    status: 1,
    stdout: '',
    stderr: `ktadmin: error: gpg failed (${how})\n`,
  });
  expect(await readdir(output)).toEqual([]);
});

test.each<[string, string]>([
  ['says nothing', 'cat >/dev/null; exit 0'],
  ['is cut short', '"$REAL" "$@" 2>/dev/null | head -c 3000; exit 0'],
  ['does not read', 'exit 0'],
])('a gpg that %s when it encrypts and exits 0 publishes nothing', async (_, then) => {
  const { server, output, scratch } = await commonPlace();
  const PATH = await fakePath(scratch, {
    gpg: `case "$*" in *--encrypt*) ${then};; esac; exec "$REAL" "$@"`,
  });
  expect(brief(await server.ktbackup([...ENCRYPTED, `--output=${output}`], { env: { PATH } }))).toEqual({
    status: 1,
    stdout: '',
    stderr: 'ktadmin: error: gpg ended without finishing the encryption\n',
  });
  expect(await readdir(output)).toEqual([]);
});

test.each<[string, string, RegExp]>([
  ['exits 1', 'echo "psql: error: broken" >&2; exit 1', /^ktadmin: error: psql failed \(exit status 1\): /],
  [
    'dies by a signal',
    '"$REAL" "$@" | head -c 100; kill -KILL $$',
    /^ktadmin: error: psql failed \(signal SIGKILL\)\n$/,
  ],
  [
    'is cut short and exits 0',
    '"$REAL" "$@" | head -c 100; exit 0',
    /^ktadmin: error: the copy of the database is shorter than computed\n$/,
  ],
  [
    'says nothing and exits 0',
    'exit 0',
    /^ktadmin: error: the copy of the database is shorter than computed\n$/,
  ],
  [
    'says more than it should',
    '"$REAL" "$@"; echo more',
    /^ktadmin: error: the copy of the database is longer than computed\n$/,
  ],
  [
    'begins with something else',
    'echo hello; "$REAL" "$@"',
    /^ktadmin: error: the copy of the table client is not \d+ bytes long, as was computed\n$/,
  ],
  [
    'fails after all of its output',
    '"$REAL" "$@"; exit 3',
    /^ktadmin: error: psql failed \(exit status 3\)\n$/,
  ],
])('a copy of the tables that %s publishes nothing', async (_, script, stderr) => {
  const [output, scratch] = [dirname(earlier), await newScratch()];
  const before = await readdir(output);
  const term = marker();
  const fake = await fakePostgres(scratch, { psql: script });
  for (const how of [ENCRYPTED, ['--cleartext', '--quiet']]) {
    const env = { PG_BINDIR: fake, TERM: term };
    const failed = await common.ktbackup([...how, '--roll=1', `--output=${output}`], { env });
    expect(brief(failed)).toEqual({ status: 1, stdout: '', stderr: expect.stringMatching(stderr) as string });
    expect(await readdir(output)).toEqual(before);
  }
  expect(before).toContain(basename(earlier));
  expect(await processesWith(term)).toEqual([]);
});

test('with the database down it says how to start it', async () => {
  const { server, output } = await place();
  await server.ktadmin(['db', 'stop']);
  expect(brief(await server.ktbackup([...ENCRYPTED, `--output=${output}`]))).toEqual({
    status: 7,
    stdout: '',
    stderr:
      `ktadmin: error: the database does not answer (port ${server.port}, socket in ${server.pgRootdir}/run)\n` +
      `ktadmin: hint: ktadmin db start --pg-rootdir ${server.pgRootdir}\n`,
  });
  expect(await readdir(output)).toEqual([]);
});

test('a database without tables is nothing to back up', async () => {
  const { server, output } = await place();
  await server.query('drop schema public cascade; create schema public');
  const failed = brief(await server.ktbackup([...ENCRYPTED, `--output=${output}`]));
  expect(failed.status).toBe(3);
  expect(failed.stderr).toMatch(/^ktadmin: error: the database has no tables/);
  expect(await readdir(output)).toEqual([]);
});

test('a second run ends at once with 75, and a database that is stopped in the middle publishes nothing', async () => {
  const { server, output, scratch } = await place();
  const fake = await fakePostgres(scratch, { pg_dump: held(scratch, 'exec "$REAL" "$@"') });
  const args = [...ENCRYPTED, `--output=${output}`];
  const first = server.ktbackup(args, { env: { PG_BINDIR: fake } });
  await until(() => existsSync(join(scratch, 'held')), 'the first run dumps');
  expect(brief(await server.ktbackup(args))).toEqual({
    status: 75,
    stdout: '',
    stderr:
      'ktadmin: error: another backup of this server is running\nktadmin: hint: wait until it has ended\n',
  });
  await writeFile(join(scratch, 'go'), '');
  expect((await first).status).toBe(0);
  expect(await setsIn(output)).toHaveLength(1);
});

/** Ends the connections of the run that is under way, as a restart or a restore does. */
const cutOff = (server: TestServer) =>
  server.query(
    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'ktadmin' and pid <> pg_backend_pid()",
  );

test('defect: a connection that was lost during the dump was reported as a bug', async () => {
  const { server, output, scratch } = await place();
  const fake = await fakePostgres(scratch, {
    pg_dump: `"$REAL" "$@"; status=$?; ${held(scratch, 'exit $status')}`,
  });
  const running = server.ktbackup([...ENCRYPTED, `--output=${output}`], { env: { PG_BINDIR: fake } });
  await until(() => existsSync(join(scratch, 'held')), 'the dump has gone through');
  await cutOff(server);
  await writeFile(join(scratch, 'go'), '');
  expect(brief(await running)).toEqual({
    status: 7,
    stdout: '',
    stderr:
      'ktadmin: error: the connection to the database was lost\n' +
      `ktadmin: hint: ktadmin db status --pg-rootdir ${server.pgRootdir}\n`,
  });
  expect(await readdir(output)).toEqual([]);
});

test('defect: a set was published although the server was exchanged while it was made', async () => {
  const { server, output, scratch } = await place();
  const PATH = await fakePath(scratch, {
    gpg: `case "$*" in *--clearsign*) ${held(scratch, ':')};; esac; exec "$REAL" "$@"`,
  });
  const running = server.ktbackup([...ENCRYPTED, `--output=${output}`], { env: { PATH } });
  await until(() => existsSync(join(scratch, 'held')), 'it signs');
  await cutOff(server);
  await writeFile(join(scratch, 'go'), '');
  expect(brief(await running)).toEqual({
    status: 1,
    stdout: '',
    stderr:
      'ktadmin: error: the database was stopped or exchanged while the backup was made\n' +
      'ktadmin: hint: run the backup again\n',
  });
  expect(await readdir(output)).toEqual([]);
});

/** Every open file of a process and its content, where it is a regular file; none when the process has just ended. */
async function openFiles(pid: number): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
    if (!target.startsWith('/') || target.startsWith('/dev') || target.startsWith('/proc')) continue;
    // A pipe has no content but for the one who reads it next.
    const stats = await stat(`/proc/${pid}/fd/${fd}`).catch(() => undefined);
    if (stats?.isFile() === true)
      found.push(await readFile(`/proc/${pid}/fd/${fd}`).catch(() => Buffer.alloc(0)));
  }
  return found;
}

async function children(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const direct = text.trim().split(' ');
  const pids = direct.filter((text) => text !== '').map(Number);
  return [...pids, ...(await Promise.all(pids.map(children))).flat()];
}

test('the dump lies on no disk in clear, and no secret stands in an argument or the environment', async () => {
  const { server, output, scratch } = await place();
  const canary = 'Canary-7c1d42aa-Secret';
  await server.orgtool(['set-auth', '-n', 'prod', '--secret-stdin'], { input: canary });
  const key = await readFile(join(server.confdir, '.ssl', 'ssl-cert-keytrustee-pk.pem'), 'utf8');
  const inKey = key.split('\n')[5] ?? 'no key';
  // The whole dump has gone through the pipe, and pg_dump has not ended yet.
  const fake = await fakePostgres(scratch, {
    pg_dump: `"$REAL" "$@"; status=$?; ${held(scratch, 'exit $status')}`,
  });
  let pid = 0;
  const running = server.ktbackup([...ENCRYPTED, `--output=${output}`], {
    env: { PG_BINDIR: fake },
    started: (child) => (pid = child.pid),
  });
  await until(() => existsSync(join(scratch, 'held')), 'the dump has gone through');
  const spooled = async () => (await openFiles(pid)).some((content) => content.length > 4000);
  await until(spooled, 'the dump has been put aside');
  const processes = [pid, ...(await children(pid))];
  expect(processes.length).toBeGreaterThan(1);
  for (const process of processes) {
    for (const content of await openFiles(process)) expect(content.includes(canary)).toBe(false);
    for (const file of ['cmdline', 'environ']) {
      // The sleeps of the fake come and go; the program itself is there.
      const text = await readFile(`/proc/${process}/${file}`, 'latin1').catch(() => '');
      if (process === pid) expect(text).not.toBe('');
      expect(text).not.toContain(canary);
      expect(text).not.toContain(inKey);
    }
  }
  const found = await run('grep', [
    '-rlaF',
    canary,
    output,
    server.confdir,
    scratch,
    `${world.directory}/home`,
  ]);
  expect(found.stdout).toBe('');
  await writeFile(join(scratch, 'go'), '');
  const made = await running;
  expect(made.status).toBe(0);
  expect((await readFile(made.stdout.trim())).includes(canary)).toBe(false);
});

const MOMENTS: [string, (scratch: string) => Promise<Record<string, string>>][] = [
  [
    'before the dump',
    async (scratch) => ({
      PG_BINDIR: await fakePostgres(scratch, { pg_dump: held(scratch, 'exec "$REAL" "$@"') }),
    }),
  ],
  [
    'after the dump',
    async (scratch) => ({
      PG_BINDIR: await fakePostgres(scratch, { pg_dump: `"$REAL" "$@"; ${held(scratch, 'exit 0')}` }),
    }),
  ],
  [
    'while it signs',
    async (scratch) => ({
      PATH: await fakePath(scratch, {
        gpg: `case "$*" in *--clearsign*) ${held(scratch, ':')};; esac; exec "$REAL" "$@"`,
      }),
    }),
  ],
  [
    'while it looks for the recipient',
    async (scratch) => ({
      PATH: await fakePath(scratch, {
        gpg: `case "$*" in *--list-keys*) ${held(scratch, ':')};; esac; exec "$REAL" "$@"`,
      }),
    }),
  ],
];

test.each(someOf(MOMENTS))('a signal %s leaves nothing', async (_, fault) => {
  const { server, output, scratch } = await place();
  const earlier = await backup(server);
  const env = await fault(scratch);
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    const term = marker();
    await run('rm', ['-f', join(scratch, 'held')]);
    let kill: ((name: NodeJS.Signals) => boolean) | undefined;
    const running = server.ktbackup([...ENCRYPTED, `--output=${output}`], {
      env: { ...env, TERM: term },
      started: (child) => (kill = (name) => child.kill(name)),
    });
    await until(() => existsSync(join(scratch, 'held')), 'the run is held');
    kill?.(signal);
    expect(brief(await running)).toEqual({
      status,
      stdout: '',
      stderr: `ktadmin: error: interrupted by ${signal}\n`,
    });
    // What a fake shell had started, a sleep of a twentieth of a second, is nobody's child any more.
    await until(async () => (await processesWith(term)).length === 0, 'no child is left');
    expect((await setsIn(output)).map((name) => join(output, name))).toEqual([earlier]);
  }
});

test('after kill -9 the next run succeeds and sweeps what was left', async () => {
  const { server, output, scratch } = await place();
  const env = {
    PATH: await fakePath(scratch, {
      gpg: `case "$*" in *--clearsign*) ${held(scratch, ':')};; esac; exec "$REAL" "$@"`,
    }),
  };
  const term = marker();
  let pid = 0;
  const running = server.ktbackup([...ENCRYPTED, `--output=${output}`], {
    env: { ...env, TERM: term },
    started: (child) => (pid = child.pid),
  });
  await until(() => existsSync(join(scratch, 'held')), 'the run is held');
  process.kill(pid, 'SIGKILL');
  await writeFile(join(scratch, 'go'), '');
  expect((await running).signal).toBe('SIGKILL');
  expect((await readdir(output)).filter((name) => !name.endsWith('.part'))).toEqual([]);
  await until(async () => {
    const again = await server.ktbackup([...ENCRYPTED, `--output=${output}`]);
    if (again.status !== 0) expect(again.status).toBe(75);
    return again.status === 0;
  }, 'PostgreSQL has freed the lock of the dead run');
  expect((await setsIn(output)).every((name) => name.endsWith('.tar.gpg'))).toBe(true);
  await until(async () => (await processesWith(term)).length === 0, 'the agent of the dead run has ended');
});

test('a configuration directory that is never twice the same is an error', async () => {
  const { server, output } = await place();
  // A file that reads differently every time.
  await symlink('/proc/sys/kernel/random/uuid', join(server.confdir, 'changing'));
  expect(brief(await server.ktbackup(['--cleartext', '--quiet', `--output=${output}`]))).toEqual({
    status: 1,
    stdout: '',
    stderr:
      `ktadmin: error: ${server.confdir} keeps changing while it is read\n` +
      'ktadmin: hint: run the backup again when nothing changes it\n',
  });
  expect(await readdir(output)).toEqual([]);
});

test('defect: a file that cannot be read was reported as a database that does not answer', async () => {
  const { server, output } = await place();
  await mkdir(join(server.confdir, 'closed'), { mode: 0o000 });
  await give(join(server.confdir, 'closed'));
  expect(brief(await server.ktbackup(['--cleartext', '--quiet', `--output=${output}`]))).toEqual({
    status: 4,
    stdout: '',
    stderr: `ktadmin: error: ${server.confdir}/closed: permission denied\n`,
  });
  await run('rmdir', [join(server.confdir, 'closed')]);
});

test.skipIf(!isRoot)(
  'a full disk publishes nothing, wherever it fills up (needs root: mounts a file system)',
  async () => {
    const { server, output } = await place();
    await server.query(
      "insert into organization (uuid, name, auth_secret) select lpad(i::text, 43, '0'), 'n' || i, repeat(md5(i::text), 30) from generate_series(1, 2000) i",
    );
    for (const [size, what] of [
      ['16k', 'what waits'],
      ['1m', 'the set'],
    ] as const) {
      const { status, stdout, stderr } = await inNamespace(
        `mount -t tmpfs -o size=${size},mode=700,uid=${world.account.uid},gid=${world.account.gid} tmpfs ${output}
       status=0; ktbackup --gpg-recipient='John Doe' --quiet --output=${output} || status=$?
       ls -A ${output}; exit $status`,
        { env: { KEYTRUSTEE_CONFDIR: server.confdir } },
      );
      expect({ status, stdout, stderr: withoutDrop(stderr) }, what).toEqual({
        status: 1,
        stdout: '',
        stderr:
          'ktadmin: error: no space left on device\nktadmin: hint: free some space and run the command again\n',
      });
    }
  },
);

test.skipIf(!isRoot)(
  'nothing is left in /tmp, whether it ends well or not (needs root: a /tmp of its own)',
  async () => {
    const { server, output, scratch } = await place();
    const bin = await fakePostgres(scratch, { pg_dump: 'exit 1' });
    const words = ['ktbackup', ...ENCRYPTED, `--output=${output}`];
    const environment = { KEYTRUSTEE_CONFDIR: server.confdir };
    const good = await withOwnTmp(scratch, words, { env: environment });
    expect(good).toMatchObject({ status: 0, left: [] });
    const bad = await withOwnTmp(scratch, words, { env: { ...environment, PG_BINDIR: bin } });
    expect(bad).toMatchObject({ status: 1, left: [] });
    const before = await tree(dirname(output));
    expect(before).not.toContain('.tmp');
  },
);

test('a database of 64 MiB goes through in bounded memory', async () => {
  const { server, output } = await place();
  await server.query(`
    insert into client (organization_id, fingerprint, public_key, state)
      select id, repeat('A', 40), '', 'active' from organization;
    insert into deposit (uuid, client_id, handle, content, sha256)
      select lpad(i::text, 43, '0'), (select id from client), i::text, decode(repeat(md5(i::text), 16384), 'hex'), decode(repeat('00', 32), 'hex')
      from generate_series(1, 256) i`);
  const words = ['ktbackup', '--gpg-recipient=John Doe', '--quiet', `--output=${output}`];
  // The program itself says at its end how much memory it had at most.
  const probe = join(output, '..', 'probe.mjs');
  await writeFile(
    probe,
    "import { readFileSync } from 'node:fs'; process.on('exit', () => { try { process.stderr.write(readFileSync('/proc/self/status', 'utf8').match(/VmHWM:.*/)[0] + '\\n'); } catch {} });",
  );
  const made = await run(words[0] ?? '', words.slice(1), {
    env: { KEYTRUSTEE_CONFDIR: server.confdir, NODE_OPTIONS: `--import=${probe}` },
  });
  expect(made.status).toBe(0);
  const peak = Number(/VmHWM:\s*(\d+) kB/.exec(made.stderr)?.[1]);
  expect(peak).toBeGreaterThan(10_000);
  expect(peak).toBeLessThan(200 * 1024);
  const { size } = await import('node:fs/promises').then((files) => files.stat(made.stdout.trim()));
  expect(size).toBeGreaterThan(64 * 1024 * 1024);
});
