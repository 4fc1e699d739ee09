/** `ktadmin restore` of a client's set: directories on a host without a server. */
import { chmod, chown, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { type Client, clientHost } from '../support/client.ts';
import { inNamespace } from '../support/faults.ts';
import { someOf } from '../support/long.ts';
import { refusal, said } from '../support/refusal.ts';
import { checksums, isRoot, type RunOptions, run, temporaryDirectory, world } from '../support/sandbox.ts';
import { hasTerminal, onTerminal } from '../support/terminal.ts';

/** Everything that a restore has to bring back of the two directories. */
async function state({ navencrypt, kms }: Client): Promise<string> {
  const listed = await run('find', [navencrypt, kms, '-printf', '%p %y %m %u %g %Ts\\n']);
  return `${listed.stdout.split('\n').toSorted().join('\n')}${await checksums(navencrypt)}${await checksums(kms)}`;
}

/** Names beside the two directories that are not theirs. */
async function beside({ navencrypt, kms }: Client): Promise<string[]> {
  const names = await Promise.all([navencrypt, kms].map((path) => readdir(dirname(path))));
  return names.flat().filter((name) => !['navencrypt', '.keytrustee'].includes(name));
}

function restorer(client: Client) {
  return (set: string, args: string[] = ['--yes'], options?: RunOptions) =>
    client.ktadmin(['restore', set, '--signing-home', client.signingHome, ...args], options);
}

/** A host and a set of it, whose directories have only what a set can hold: it has been restored once. */
async function backedUp({
  kind = ['--cleartext'],
  owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
} = {}) {
  const client = await clientHost();
  if (isRoot) await chown(join(client.kms, 'pubring.kbx'), owner.uid, owner.gid);
  const made = await client.backup([...kind, '-q']);
  expect(made.status, made.stderr).toBe(0);
  const set = made.stdout.trim();
  const restore = restorer(client);
  const restored = await restore(set, ['--yes', '--gnupg-home', world.administrator]);
  expect(restored.status, restored.stderr).toBe(0);
  for (const path of [client.navencrypt, client.kms])
    for (const name of await readdir(dirname(path)))
      if (name.includes('.before-')) await rm(join(dirname(path), name), { recursive: true });
  return { client, set, restore, before: await state(client) };
}

/** What is lost and what is new since the set was made. */
async function spoil({ navencrypt, kms }: Client): Promise<void> {
  await rm(join(kms, 'private-keys-v1.d'), { recursive: true });
  await writeFile(join(kms, 'stray'), 'of today');
  await writeFile(join(navencrypt, 'keytrustee', 'ztrustee.conf'), 'changed');
  await chmod(navencrypt, 0o711);
}

test('brings the directories back as they were, and keeps what was there', async () => {
  const { client, set, restore, before } = await backedUp({
    kind: ['--gpg-recipient=John Doe'],
    owner: world.account,
  });
  await spoil(client);
  const spoiled = await state(client);
  const { navencrypt, kms } = client;
  const done = await restore(set, ['--yes', '--gnupg-home', world.administrator]);
  const match = new RegExp(
    `^Restored ${navencrypt}; the former one is (\\S+)\nRestored ${kms}; the former one is (\\S+)\n$`,
  ).exec(done.stdout);
  expect(match?.slice(1).map((path) => dirname(path))).toEqual([dirname(navencrypt), dirname(kms)]);
  expect(done.stderr).toMatch(
    new RegExp(
      `^directories of \\S+, signed by 4096R/[0-9A-F]{40}\n  made \\S+Z\n  ${navencrypt} \\(6 members\\) will be replaced; the present one is kept beside it\n  ${kms} \\(4 members\\) will be replaced; the present one is kept beside it\n$`,
    ),
  );
  expect(await state(client)).toBe(before);
  expect(await readFile(join(match?.[2] ?? '', 'stray'), 'utf8')).toBe('of today');
  for (const [place, kept] of [
    [navencrypt, match?.[1]],
    [kms, match?.[2]],
  ] as const) {
    await rm(place, { recursive: true });
    await rename(kept ?? '', place);
  }
  expect(await state(client), 'the way back by hand').toBe(spoiled);
});

test('on a host that was lost it makes the directories, when the set is the one of the fingerprint', async () => {
  const { client, set, restore, before } = await backedUp();
  const fingerprint = /"fingerprint": "4096R\/([0-9A-F]{40})"/.exec(await readFile(set, 'latin1'))?.[1] ?? '';
  for (const path of [client.navencrypt, client.kms, client.signingHome]) await rm(path, { recursive: true });
  const other = 'A'.repeat(40);
  expect(said(await restore(set, ['--yes', '--fingerprint', other]))).toEqual(
    refusal(
      8,
      `the set was signed by another host's key: 4096R/${fingerprint}, and not by ${other}`,
      'if that is right, give its fingerprint: --fingerprint FP',
    ),
  );
  expect(said(await restore(set, ['--yes']))).toEqual(
    refusal(
      8,
      `whose set it is cannot be known here, where no signing key is; it says 4096R/${fingerprint}`,
      'give the fingerprint that you wrote down: --fingerprint FP',
    ),
  );
  const done = await restore(set, ['--yes', '--fingerprint', fingerprint]);
  expect(done).toMatchObject({
    status: 0,
    stdout: `Restored ${client.navencrypt}\nRestored ${client.kms}\n`,
  });
  expect(await state(client)).toBe(before);
});

test("a set that another host's key signed is refused", async () => {
  const { client, set, restore, before } = await backedUp();
  const other = await clientHost({ newKey: true });
  expect((await other.backup()).status).toBe(0);
  await rm(client.signingHome, { recursive: true });
  await rename(other.signingHome, client.signingHome);
  const refused = await restore(set);
  expect(refused).toMatchObject({ status: 8, stdout: '' });
  expect(refused.stderr).toContain("the set was signed by another host's key: 4096R/");
  expect([await state(client), await beside(client)]).toEqual([before, []]);
  expect((await restore(set, ['--yes', '--force'])).status).toBe(0);
});

test('--dry-run shows the plan, and No is no: nothing is changed', async () => {
  const { client, set, restore } = await backedUp();
  await spoil(client);
  const spoiled = await state(client);
  const shown = await restore(set, ['--dry-run']);
  expect(shown).toMatchObject({ status: 0, stdout: '' });
  expect(shown.stderr).toContain(`  ${client.kms} (4 members) will be replaced`);
  if (hasTerminal) {
    const words = ['ktadmin', 'restore', set, '--signing-home', client.signingHome];
    const screen = await onTerminal(words, { typing: [['Replace what is there?', 'n\r']] });
    expect([screen.status, screen.text.includes('nothing was changed')]).toEqual([1, true]);
  }
  expect([await state(client), await beside(client)]).toEqual([spoiled, []]);
});

test.skipIf(!isRoot)(
  'refuses before it changes anything where an account is missing (needs root)',
  async () => {
    const { client, set, before } = await backedUp({ owner: world.account });
    const { name } = world.account;
    const script = `
    grep -v '^${name}:' /etc/passwd >${client.directory}/passwd
    grep -v '^${name}:' /etc/group >${client.directory}/group
    mount --bind ${client.directory}/passwd /etc/passwd
    mount --bind ${client.directory}/group /etc/group
    exec ktadmin restore --yes --signing-home ${client.signingHome} ${set}`;
    const refused = await inNamespace(script);
    expect(refused).toMatchObject(
      refusal(
        5,
        `files of the set belong to what this host does not have: the account ${name}, the group ${name}`,
        'install the program whose files they are, or make them, and run it again',
      ),
    );
    expect([await state(client), await beside(client)]).toEqual([before, []]);
  },
);

test.skipIf(!isRoot)(
  'an account without rights brings back what is its own, also where its group is not called as it is (needs root)',
  async () => {
    const own = await temporaryDirectory();
    const [directory, output, signing] = [join(own, 'kms'), join(own, 'sets'), join(own, 'signing')];
    await mkdir(directory);
    await writeFile(join(directory, 'key'), 'mine', { mode: 0o600 });
    const group = 'games';
    await run('chown', ['-R', `${world.account.name}:${group}`, own]);
    const as = [`--reuid=${world.account.name}`, `--regid=${group}`, '--clear-groups', 'ktadmin'];
    const env = { KEYTRUSTEE_CONFDIR: join(own, 'no-server') };
    const home = ['--signing-home', signing];
    const include = ['backup', '--include', directory, '--cleartext', '-q', '--output', output, ...home];
    const made = await run('setpriv', [...as, ...include], { env });
    expect(made.status, made.stderr).toBe(0);
    await rm(directory, { recursive: true });
    const restored = await run('setpriv', [...as, 'restore', made.stdout.trim(), '--yes', ...home], { env });
    expect(restored).toMatchObject({ status: 0, stdout: `Restored ${directory}\n` });
    expect(await readFile(join(directory, 'key'), 'utf8')).toBe('mine');
  },
);

test('refuses what it cannot put anywhere, and options of a server', async () => {
  const { client, set, restore } = await backedUp();
  const above = dirname(client.navencrypt);
  expect(said(await restore(set, ['--yes', '--only', 'organization=x']))).toEqual(
    refusal(2, "this is a client's set: --only and --user have no meaning for it"),
  );
  const renamed = join(client.directory, 'renamed.tar');
  await rename(set, renamed);
  const confdir = join(client.directory, 'confdir', '.keytrustee');
  const refused = await client.ktadmin(['restore', renamed, '--yes', '--confdir', confdir]);
  expect(refused).toMatchObject({ status: 6 });
  expect(refused.stderr).toContain(
    "this is a client's set\nktadmin: hint: its name must begin with ktc_bak_, as it did\n",
  );
  await rename(renamed, set);
  await rm(above, { recursive: true });
  expect(said(await restore(set)).stderr).toContain(`ktadmin: error: ${above} is no directory\n`);
});

test('a set that was changed anywhere is refused, and nothing happens', async () => {
  const { client, set, restore, before } = await backedUp();
  const { size } = await stat(set);
  const damaged = join(client.directory, basename(set));
  for (let number = 0; number < 12; number += 1) {
    await run('cp', [set, damaged]);
    const position = Math.floor(((number + 0.5) * size) / 12);
    if (number % 3 === 2) await run('truncate', ['-s', String(position), damaged]);
    else {
      const file = await open(damaged, 'r+');
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, position);
      await file.write(Buffer.from([(buffer[0] ?? 0) ^ (1 << (number % 8))]), 0, 1, position);
      await file.close();
    }
    const refused = await restore(damaged);
    expect([refused.status, refused.stdout], `${position}: ${refused.stderr}`).toEqual([8, '']);
  }
  expect([
    await state(client),
    (await beside(client)).filter((name) => !name.startsWith('ktc_bak_')),
  ]).toEqual([before, []]);
});

/** The points of a restore of directories at which it is killed; the exchange's come once for each directory. */
const STEPS = [
  'restore-decrypted',
  'restore-staged',
  'restore-journal-written',
  'restore-journaled',
  'restore-former-moved',
  'restore-placed',
  'restore-checked',
  'restore-closed',
];

test.each(someOf(STEPS))(
  'killed at %s, it leaves the old or the new; run again, it finishes and leaves nothing',
  async (step) => {
    const { client, set, restore, before } = await backedUp();
    await spoil(client);
    const spoiled = await state(client);
    const killed = await restore(set, ['--yes'], { env: { KTADMIN_KILL_AT: step } });
    expect(killed.signal).toBe('SIGKILL');
    if (
      ['restore-decrypted', 'restore-staged', 'restore-journal-written', 'restore-journaled'].includes(step)
    )
      expect(await state(client)).toBe(spoiled);
    if (['restore-checked', 'restore-closed'].includes(step)) expect(await state(client)).toBe(before);
    const again = await restore(set);
    expect(again.status, again.stderr).toBe(0);
    expect(await state(client)).toBe(before);
    expect((await beside(client)).filter((name) => name.includes('.restoring-'))).toEqual([]);
    expect(await readdir(client.signingHome)).not.toContain('exchange.json');
  },
);

test("verify reads a client's set, and knows whose it is", async () => {
  const { client, set } = await backedUp();
  const verify = (...args: string[]) => client.ktadmin(['backup', 'verify', set, '--json', ...args]);
  const outcomes = async (...args: string[]) => {
    const { stdout, stderr } = await verify(...args);
    expect(stderr.replace(/^Dropped.*\n/, '')).toBe('');
    const checks = JSON.parse(stdout) as { check: string; outcome: string; detail: string }[];
    return Object.fromEntries(checks.map(({ check, outcome }) => [check, outcome]));
  };
  const good = {
    form: 'ok',
    container: 'not checked',
    decryption: 'not checked',
    archive: 'ok',
    manifest: 'ok',
    members: 'ok',
    dump: 'ok',
  };
  expect(await outcomes('--signing-home', client.signingHome)).toEqual({
    ...good,
    receipt: 'ok',
    origin: 'ok',
  });
  expect(await outcomes('--fingerprint', 'A'.repeat(40))).toEqual({
    ...good,
    receipt: 'ok',
    origin: 'failed',
  });
  await mkdir(join(client.directory, 'empty'));
  expect(await outcomes('--signing-home', join(client.directory, 'empty'))).toMatchObject({
    origin: 'not checked',
  });
});
