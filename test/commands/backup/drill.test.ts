/** `backup drill`: a set comes back in a place of its own, and nothing of that stays, whatever happens. */
import { createHash } from 'node:crypto';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { DRILL_STEPS } from '../../../src/lib/backups/steps.ts';
import { fakePostgres, give } from '../../support/faults.ts';
import { someOf } from '../../support/long.ts';
import { allEnded, processesAt } from '../../support/processes.ts';
import { type Part, partsOf, resigned, withContent, writeParts } from '../../support/rebuild.ts';
import { refusal, said } from '../../support/refusal.ts';
import {
  asAccount,
  checksums,
  isRoot,
  kt,
  ownedDirectory,
  type RunOptions,
  sharedServer,
  temporaryDirectory,
  until,
  world,
} from '../../support/sandbox.ts';
import { backup, unpack } from '../../support/sets.ts';

const server = sharedServer();
let clear = '';
let encrypted = '';

beforeAll(async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  clear = await backup(server);
  encrypted = await backup(server, '--gpg-recipient=John Doe');
});

const asAdministrator = ['--gnupg-home', world.administrator];

/** A drill with a place of its own for what it makes; the place must be empty afterwards. */
async function drill(words: string[], { env = {}, ...options }: RunOptions = {}) {
  const place = await ownedDirectory(await temporaryDirectory(), 's');
  const outcome = await server.ktbackup(['drill', ...words], { ...options, env: { TMPDIR: place, ...env } });
  return { ...outcome, place };
}

async function nothingLeft(place: string): Promise<void> {
  expect(await readdir(place)).toEqual([]);
  await allEnded(place);
}

const ROWS = {
  client: 0,
  client_approval: 0,
  contact: 1,
  contact_invitation: 0,
  deposit: 0,
  organization: 1,
  schema_migration: 2,
};

test('a good set comes back, its evidence is complete, the server is not touched, and nothing is left', async () => {
  const bytes = await readFile(encrypted);
  const before = [await checksums(server.confdir), await server.orgtool(['list'])];
  const databases = await server.query("select string_agg(datname, ' ' order by datname) from pg_database");
  const shown = await drill([encrypted, ...asAdministrator]);
  expect(said(shown)).toMatchObject({ status: 0, stderr: '' });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const number = String.raw`\d+(?:\.\d+)?`;
  const lines = [
    `${encrypted}: the drill passed`,
    `  file        ${bytes.length} bytes, SHA-256 ${sha256}`,
    String.raw`  set         number 2 of \S+Z, kts01.example.com, ${server.fingerprint}`,
    '  rows        as the server counted them: 0 client, 0 client_approval, 1 contact, 0 contact_invitation, 0 deposit, 1 organization, 2 schema_migration',
    '  digests     7 tables copied out again, each with the bytes of the set',
    '  key         signs',
    '  migrations  none needed',
    `  a restore   takes ${number} s: decrypt ${number}, verify ${number}, cluster ${number}, configuration ${number}, load ${number}, checks ${number}`,
  ];
  expect(shown.stdout).toMatch(new RegExp(`^${lines.join('\n')}\n$`));
  await nothingLeft(shown.place);
  const machine = await drill([clear, '--json']);
  const evidence = JSON.parse(machine.stdout) as { times: Record<string, number>; seconds: number };
  expect(evidence).toMatchObject({
    set: clear,
    rows: ROWS,
    digests: await digestsIn(clear),
    migrations: [],
    verdict: 'passed',
    failure: null,
  });
  expect(evidence).toMatchObject({ sequence: 1, host: 'kts01.example.com', fingerprint: server.fingerprint });
  expect(Object.keys(evidence.times)).toEqual([
    'decrypt',
    'verify',
    'cluster',
    'configuration',
    'load',
    'checks',
  ]);
  expect(evidence.seconds).toBeCloseTo(
    Object.values(evidence.times).reduce((a, b) => a + b, 0),
    2,
  );
  await nothingLeft(machine.place);
  expect([await checksums(server.confdir), await server.orgtool(['list'])]).toEqual(before);
  expect(await server.query("select string_agg(datname, ' ' order by datname) from pg_database")).toBe(
    databases,
  );
});

/** The SHA-256 of each table's file in a set, taken by stock tools. */
async function digestsIn(set: string): Promise<Record<string, string>> {
  const { root, manifest } = await unpack(set, await temporaryDirectory());
  const digests: Record<string, string> = {};
  for (const path of manifest.database.parts.filter((part) => part.endsWith('.copy'))) {
    const bytes = await readFile(join(root, path));
    digests[basename(path, '.copy')] = createHash('sha256').update(bytes).digest('hex');
  }
  return digests;
}

test('a value that comes back as another one is noticed, though every count is right', async () => {
  const scratch = await ownedDirectory(await temporaryDirectory(), 'fake');
  const change = `for last; do :; done; sed -i "s/^commit;/update public.contact set email = 'x@y'; commit;/" "$last"`;
  const psql = `case "$*" in *-f*) ${change};; esac; exec "$REAL" "$@"`;
  const changed = await drill([clear], { env: { PG_BINDIR: await fakePostgres(scratch, { psql }) } });
  const why = 'the drill failed: table contact is not as it was when the set was made';
  expect(said(changed)).toEqual(refusal(8, why, 'use another backup set'));
  await nothingLeft(changed.place);
});

const signerOf = () => ({
  publicKeys: join(server.confdir, 'pubring.kbx'),
  secretKeys: join(server.confdir, 'private-keys-v1.d'),
  fingerprint: server.fingerprint,
});

test('what does not come back as the server counted it is refused, however well it is signed', async () => {
  const scratch = await ownedDirectory(await temporaryDirectory(), 'sets');
  const parts = await partsOf(clear);
  const lie = await writeParts(
    join(scratch, 'lie.tar'),
    await resigned(parts, signerOf(), ({ database }) => {
      database.rows.organization = 2;
    }),
  );
  const refused = await drill([lie]);
  const why = 'table organization has 1 rows after loading, and the set says 2';
  expect(said(refused)).toEqual(refusal(1, `the drill failed: ${why}`));
  await nothingLeft(refused.place);
  const machine = await drill([lie, '--json']);
  expect(said(machine)).toMatchObject({ status: 1, stderr: '' });
  expect(JSON.parse(machine.stdout)).toMatchObject({
    set: lie,
    verdict: 'failed',
    failure: { code: 'failed', message: why, hint: null },
  });
  const dump = parts.findIndex(({ member }) => member.path.endsWith('/tables.sql'));
  const broken = Buffer.from(`${parts[dump]?.content[0]}`.replace('CREATE TABLE', 'CREATE TABEL'));
  const edited = parts.with(dump, withContent(parts[dump] as Part, broken));
  const unloadable = await writeParts(
    join(scratch, 'broken.tar'),
    await resigned(edited, signerOf(), ({ members }) => {
      const listed = members.find(({ path }) => path.endsWith('/tables.sql'));
      if (listed !== undefined) listed.sha256 = createHash('sha256').update(broken).digest('hex');
    }),
  );
  const failed = await drill([unloadable]);
  expect(failed.status).toBe(1);
  expect(said(failed).stderr).toMatch(
    /^ktadmin: error: the drill failed: psql failed \(exit status 3\): .*syntax error/s,
  );
  await nothingLeft(failed.place);
}, 120_000);

test('a stranger’s set never reaches psql, and a damaged one neither', async () => {
  const other = 'B'.repeat(40);
  const stranger = await drill([clear, '--fingerprint', other]);
  expect(said(stranger)).toEqual(
    refusal(
      8,
      `the drill failed: it is the set of another server, ${server.fingerprint} of kts01.example.com; --fingerprint has ${other}`,
      'give its fingerprint: --fingerprint FP',
    ),
  );
  const cut = join(await ownedDirectory(await temporaryDirectory(), 'sets'), basename(clear));
  await writeFile(cut, (await readFile(clear)).subarray(0, -1024));
  await give(cut);
  expect(said(await drill([cut]))).toEqual(
    refusal(8, 'the drill failed: the archive is damaged: it is cut short', 'use another backup set'),
  );
  for (const { place } of [stranger]) await nothingLeft(place);
});

test('a drill is not made in a directory of the server, nor of a set whose server nobody names', async () => {
  for (const place of [server.confdir, join(server.confdir, '.ssl')]) {
    expect(said(await server.ktbackup(['drill', clear], { env: { TMPDIR: place } }))).toEqual(
      refusal(2, `${place} belongs to the server in ${server.confdir}`, 'name another one: TMPDIR=DIR'),
    );
  }
  expect(said(await server.ktbackup(['drill', clear], { env: { TMPDIR: server.pgRootdir } }))).toEqual(
    refusal(
      2,
      `the drill failed: ${server.pgRootdir} belongs to the server in ${server.pgRootdir}`,
      'name another one: TMPDIR=DIR',
    ),
  );
  expect(said(await drill([clear, '--confdir', '/nowhere']))).toEqual(
    refusal(
      3,
      'whose set it must be is not known: there is no server in /nowhere',
      "give your server's fingerprint: --fingerprint FP",
    ),
  );
});

test.skipIf(!isRoot)(
  'root without a service account is told what to do, and may name one (needs root)',
  async () => {
    const place = await ownedDirectory(await temporaryDirectory(), 's');
    const words = ['drill', clear, '--confdir', '/nowhere', '--fingerprint', server.fingerprint];
    const env = { TMPDIR: place, KTADMIN_USER: 'no-such-account' };
    expect(said(await kt('ktbackup', words, { env }))).toEqual(
      refusal(
        4,
        'PostgreSQL refuses to run as root, and this host has no service account for it',
        'run it as an ordinary user, or name an account: --user NAME',
      ),
    );
    expect((await kt('ktbackup', [...words, '--user', 'root'], { env })).status).toBe(4);
    expect((await kt('ktbackup', [...words, '--user', world.account.name], { env })).status).toBe(0);
    expect(await readdir(place)).toEqual([]);
  },
);

test('an ordinary user drills on a workstation that has no server', async () => {
  const home = await ownedDirectory(await temporaryDirectory(), 'home');
  const set = join(home, basename(clear));
  await copyFile(clear, set);
  await give(set);
  const words = ['drill', set, '--confdir', '/nowhere', '--fingerprint', server.fingerprint];
  const outcome = await asAccount(join(world.bin, 'ktbackup'), words, { env: { HOME: home, TMPDIR: home } });
  expect(outcome).toMatchObject({ status: 0, stderr: '' });
  const records = '.kts_bak_kts01_example_com.records.json';
  expect((await readdir(home)).toSorted()).toEqual([records, basename(set)]);
  const { sets } = JSON.parse(await readFile(join(home, records), 'utf8')) as {
    sets: Record<string, object>;
  };
  const time = expect.stringMatching(/Z$/) as string;
  expect(sets[basename(set)]).toMatchObject({ outcome: 'good', verifiedAt: time, drilledAt: time });
});

test('Ctrl-C in the middle: status 130, and nothing is left', async () => {
  const place = await ownedDirectory(await temporaryDirectory(), 's');
  const running = server.ktbackup(['drill', clear], {
    env: { TMPDIR: place },
    started: (child) => {
      void until(
        async () => (await processesAt(place)).some((line) => line.includes('postgres')),
        'a server',
      ).then(() => child.kill('SIGINT'));
    },
  });
  expect(said(await running)).toEqual(refusal(130, 'interrupted by SIGINT'));
  await nothingLeft(place);
});

test('killed at any step, the next drill takes away what is left, a server too, and nothing else', async () => {
  const place = await ownedDirectory(await temporaryDirectory(), 's');
  const before: string[] = [];
  let left = '';
  for (const step of [...someOf(DRILL_STEPS), undefined]) {
    const env = { TMPDIR: place, ...(step === undefined ? {} : { KTADMIN_KILL_AT: step }) };
    const { signal, status } = await server.ktbackup(['drill', clear], { env });
    expect(signal ?? status, step).toBe(step === undefined ? 0 : 'SIGKILL');
    if (left !== '') await allEnded(join(place, left));
    const names = (await readdir(place)).filter((name) => !before.includes(name));
    expect(names.length, step).toBe(step === undefined ? 0 : 1);
    left = names[0] ?? '';
    if (step === undefined) break;
    expect((await processesAt(join(place, left))).length > 0, step).toBe(step !== 'drill-scratch-made');
    if (before.length > 0) continue;
    // What only looks alike: of a process that lives, of another namespace, of somebody else.
    before.push(left.replace(/-\d+-(?=[^-]*$)/, `-${process.pid}-`), 'ktdrill-0-1-abcdef', 'other');
    for (const name of before) await ownedDirectory(place, name);
  }
  expect((await readdir(place)).toSorted()).toEqual(before.toSorted());
}, 180_000);

test('a server that has taken the place of a killed drill’s is not ended', async () => {
  const place = await ownedDirectory(await temporaryDirectory(), 's');
  const env = { TMPDIR: place };
  await server.ktbackup(['drill', clear], { env: { ...env, KTADMIN_KILL_AT: 'drill-scratch-made' } });
  const [left = ''] = await readdir(place);
  // A lock file that names a living process, which works elsewhere.
  const data = await ownedDirectory(await ownedDirectory(await ownedDirectory(place, left), 'db'), 'data');
  const live = await readFile(join(server.pgRootdir, 'data', 'postmaster.pid'), 'utf8');
  await writeFile(join(data, 'postmaster.pid'), live);
  await give(join(data, 'postmaster.pid'));
  const pid = await server.query('select pg_postmaster_start_time()');
  expect((await server.ktbackup(['drill', clear], { env })).status).toBe(0);
  expect(await server.query('select pg_postmaster_start_time()')).toBe(pid);
  expect(await readdir(place)).toEqual([]);
});
