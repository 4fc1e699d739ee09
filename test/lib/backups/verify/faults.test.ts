/** Every corruption of a set has its check and its message; two hundred cuts and flips are refused (hazards TA-8 to TA-21). */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { readContents } from '../../../../src/lib/backups/restore/contents.ts';
import { openSet } from '../../../../src/lib/backups/restore/open-set.ts';
import { keyring } from '../../../support/keyring.ts';
import { type Part, partsOf, resigned, withContent, writeParts } from '../../../support/rebuild.ts';
import { checksums, run, sharedServer, temporaryDirectory, world } from '../../../support/sandbox.ts';
import { backup } from '../../../support/sets.ts';
import { verdictOn } from '../../../support/verify.ts';

const server = sharedServer();
let clear = '';
let encrypted = '';

beforeAll(async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  // The first set has no number in it yet, by which a set that lost its manifest is told from one of the original product.
  await backup(server);
  clear = await backup(server);
  encrypted = await backup(server, '--gpg-recipient=John Doe');
});

const CLEAR = 'not checked: the set is not encrypted';
const ALONE = 'not checked: there is none beside the set';
const at = (parts: Part[], ending: string) => parts.findIndex(({ member }) => member.path.endsWith(ending));
const part = (parts: Part[], ending: string) => parts[at(parts, ending)] as Part;
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');

const signerOf = () => ({
  publicKeys: join(server.confdir, 'pubring.kbx'),
  secretKeys: join(server.confdir, 'private-keys-v1.d'),
  fingerprint: server.fingerprint,
});

test('members that are more, fewer, twice, in another order, renamed or changed', async () => {
  const scratch = await temporaryDirectory();
  const parts = await partsOf(clear);
  const conf = part(parts, '/keytrustee.conf');
  const { path } = conf.member;
  const renamed = { ...conf, member: { ...conf.member, path: `${path}.old` } };
  const cases: [string, Part[], Record<string, string>][] = [
    ['none', parts, {}],
    [
      'more',
      parts.toSpliced(2, 0, { ...conf, member: { ...conf.member, path: 'etc/cron.d/evil' } }),
      { members: 'failed: the set is not whole: etc/cron.d/evil is not in its manifest' },
    ],
    [
      'fewer',
      parts.filter((each) => each !== conf),
      { members: `failed: the set is not whole: ${path} is missing` },
    ],
    [
      'twice',
      parts.toSpliced(2, 0, conf),
      { archive: `failed: the archive is damaged: ${path} is in it twice` },
    ],
    [
      'another order',
      [...parts.slice(1, -1), ...parts.slice(0, 1), ...parts.slice(-1)],
      { members: expect.stringMatching(/^failed: the set is not whole: \S+ is not in its place$/) as string },
    ],
    [
      'renamed',
      parts.with(parts.indexOf(conf), renamed),
      { members: `failed: the set is not whole: ${path}.old is not in its manifest` },
    ],
    [
      'changed',
      parts.with(
        parts.indexOf(conf),
        withContent(conf, Buffer.from(`${conf.content[0]}`.replace('kts01', 'kts02'))),
      ),
      { members: `failed: the set is not whole: ${path} has another digest than the manifest says` },
    ],
    [
      'no manifest',
      parts.slice(0, -1),
      { manifest: 'failed: the set has no manifest at its end: it is cut short, or another program made it' },
    ],
    [
      'a manifest that nobody signed',
      parts.with(-1, withContent(parts.at(-1) as Part, Buffer.from('{"format":1}\n'))),
      { manifest: 'failed: the signature is not in the form that this program writes' },
    ],
    [
      'another sequence, under the old signature',
      parts.with(
        -1,
        withContent(
          parts.at(-1) as Part,
          Buffer.from(`${parts.at(-1)?.content[0]}`.replace('"sequence": 2', '"sequence": 9')),
        ),
      ),
      { manifest: 'failed: the signature is not good, or its key is not known' },
    ],
  ];
  for (const [what, members, expected] of cases) {
    const set = await writeParts(join(scratch, 'set.tar'), members);
    const { code, checks } = await verdictOn(set, server, scratch);
    expect({ code, checks }, what).toEqual({
      code: what === 'none' ? 'done' : 'untrusted',
      checks: { container: CLEAR, decryption: CLEAR, receipt: ALONE, ...expected },
    });
  }
}, 120_000);

test('a dump that is not complete is found although everything else is signed', async () => {
  const scratch = await temporaryDirectory();
  const parts = await partsOf(clear);
  const dump = parts.find(({ content }) => `${content[0]}`.includes('\nCREATE TABLE')) as Part;
  const half = (dump.content[0] as Buffer).subarray(0, dump.member.size / 2);
  const members = await resigned(
    parts.with(parts.indexOf(dump), withContent(dump, half)),
    signerOf(),
    (manifest) => {
      const listed = manifest.members.find(({ path }) => path === dump.member.path);
      if (listed !== undefined) Object.assign(listed, { size: half.length, sha256: sha256(half) });
    },
  );
  const { code, checks } = await verdictOn(
    await writeParts(join(scratch, 'set.tar'), members),
    server,
    scratch,
  );
  expect({ code, dump: checks.dump }).toEqual({
    code: 'untrusted',
    dump: 'failed: the set is not whole: the database dump in it is not complete',
  });
});

test('who has only the public keys can make no set that passes, whatever name he takes', async () => {
  const scratch = await temporaryDirectory();
  const forger = await keyring(scratch, 'f');
  const fingerprint = await forger.make('Key Trustee Server kts01.example.com');
  const own = {
    publicKeys: join(forger.home, 'pubring.kbx'),
    secretKeys: join(forger.home, 'private-keys-v1.d'),
    fingerprint: `4096R/${fingerprint}`,
  };
  const parts = await partsOf(clear);
  const keys = part(parts, '/pubring.kbx');
  const forge = async (name: string, ring: Buffer, claimed: string) => {
    const members = parts.with(parts.indexOf(keys), withContent(keys, ring));
    const signed = await resigned(members, own, (manifest) => {
      manifest.fingerprint = claimed;
      const listed = manifest.members.find(({ path }) => path === keys.member.path);
      if (listed !== undefined) Object.assign(listed, { size: ring.length, sha256: sha256(ring) });
    });
    const set = await writeParts(join(scratch, `${name}.tar`), signed);
    const recipient = ['--trust-model', 'always', '-z', '0', '-r', 'John Doe'];
    await run('gpg', [
      '--homedir',
      world.administrator,
      '--batch',
      ...recipient,
      '-o',
      `${set}.gpg`,
      '-e',
      set,
    ]);
    return [set, `${set}.gpg`];
  };
  const ring = await readFile(own.publicKeys);
  for (const set of await forge('taken', ring, server.fingerprint)) {
    const { code, checks } = await verdictOn(set, server, scratch);
    expect({ code, manifest: checks.manifest }).toEqual({
      code: 'untrusted',
      manifest: `failed: the set names the server ${server.fingerprint}, but ${fingerprint} signed it`,
    });
  }
  for (const set of await forge('own', ring, own.fingerprint)) {
    const { code, checks } = await verdictOn(set, server, scratch);
    expect({ code, origin: checks.origin, members: checks.members }).toEqual({
      code: 'untrusted',
      origin: `failed: it is the set of another server, ${own.fingerprint} of kts01.example.com; ${server.confdir} has ${server.fingerprint.slice(6)}`,
      members: undefined,
    });
  }
  // The server's own keyring, in which the forger's key is not.
  const genuine = (keys.content[0] as Buffer).subarray();
  for (const set of await forge('kept', genuine, server.fingerprint)) {
    const { code, checks } = await verdictOn(set, server, scratch);
    expect({ code, manifest: checks.manifest }).toEqual({
      code: 'untrusted',
      manifest: 'failed: the signature is not good, or its key is not known',
    });
  }
}, 120_000);

test('what is no set at all: an unfinished one, a directory, a FIFO, nothing, a text, somebody else’s tar', async () => {
  const scratch = await temporaryDirectory();
  const put = async (name: string, data: string | Buffer) => {
    await writeFile(join(scratch, name), data);
    return join(scratch, name);
  };
  const letter = join(scratch, 'letter.gpg');
  const encrypt = ['--homedir', world.administrator, '--batch', '--trust-model', 'always', '-r', 'John Doe'];
  await run('gpg', [...encrypt, '-o', letter, '-e'], { input: 'no archive' });
  const other = join(scratch, 'other.tar');
  execFileSync('tar', ['-cf', other, '-C', '/etc', 'hostname']);
  execFileSync('mkfifo', [join(scratch, 'fifo')]);
  await mkdir(join(scratch, 'directory'));
  const part = await put('set.tar.part', await readFile(clear));
  const cases: [string, string, string][] = [
    [part, 'form', `failed: ${part} is an unfinished backup set`],
    [join(scratch, 'directory'), 'form', `failed: ${scratch}/directory is not a file`],
    [join(scratch, 'fifo'), 'form', `failed: ${scratch}/fifo is not a file`],
    [await put('empty', ''), 'form', `failed: ${scratch}/empty is not a backup set`],
    [await put('text', 'hello\n'), 'form', `failed: ${scratch}/text is not a backup set`],
    [letter, 'decryption', `failed: ${letter} holds no backup set`],
    [
      other,
      'manifest',
      'failed: the set has no manifest at its end: it is cut short, or another program made it',
    ],
  ];
  for (const [set, check, expected] of cases) {
    const { code, checks } = await verdictOn(set, server, scratch);
    expect({ code, [check]: checks[check] }, set).toEqual({ code: 'untrusted', [check]: expected });
  }
});

/** A generator of numbers that gives the same ones in every run (mulberry32). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** A hundred cuts and a hundred flips of a set. */
function* damages(whole: Buffer): Generator<[string, Buffer]> {
  const next = numbers(20_261_121);
  for (let count = 0; count < 100; count += 1) {
    const length = next(whole.length);
    yield [`cut to ${length}`, whole.subarray(0, length)];
    // Where an encrypted file's packets begin, and where its tail is, every flip is worth more.
    const place =
      [next(300), whole.length - 1 - next(64), next(whole.length), next(whole.length)][count % 4] ?? 0;
    const flipped = Buffer.from(whole);
    flipped[place] = (flipped[place] ?? 0) ^ (1 << next(8));
    yield [`byte ${place}`, flipped];
  }
}

test.each(['clear', 'encrypted'])(
  'two hundred cuts and flips of a set in %s are refused, or restore the same bytes; nothing is changed',
  async (kind) => {
    const original = kind === 'clear' ? clear : encrypted;
    const scratch = await temporaryDirectory();
    const options = { gnupgHome: world.administrator, home: '/', passphrase: undefined, interactive: false };
    const read = async (set: string) => {
      const archive = await openSet(set, scratch, options);
      try {
        await readContents(archive);
        return await archive.readFile();
      } finally {
        await archive.close();
      }
    };
    const good = await read(original);
    const before = await checksums(server.confdir);
    const set = join(scratch, 'damaged');
    for (const [what, bytes] of damages(await readFile(original))) {
      await writeFile(set, bytes);
      const outcome = await read(set).catch((error: unknown) => (error as { code?: string }).code);
      // GnuPG reads over the length in bits of a session key, which changes no byte of what it gives out.
      if (Buffer.isBuffer(outcome)) expect(kind === 'encrypted' && outcome.equals(good), what).toBe(true);
      else expect(outcome, what).toBe('untrusted');
      const { code } = await verdictOn(set, server, scratch);
      expect(['untrusted', 'state'], what).toContain(code);
      await rm(set);
    }
    expect(await checksums(server.confdir)).toBe(before);
    expect((await verdictOn(original, server, scratch)).code).toBe('done');
  },
  600_000,
);
