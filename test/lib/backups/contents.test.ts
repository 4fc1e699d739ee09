import { type FileHandle, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FoundMember, readMembers, readSmallMember } from '../../../src/lib/archive/read.ts';
import { type TarInput, writeTar } from '../../../src/lib/archive/write.ts';
import { readContents } from '../../../src/lib/backups/restore/contents.ts';
import { temporaryDirectory, testServer, world } from '../../support/sandbox.ts';
import { backup } from '../../support/sets.ts';

async function withFile<T>(bytes: Buffer, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const path = join(world.directory, `set-${process.pid}`);
  await writeFile(path, bytes, { mode: 0o600 });
  const handle = await open(path, 'r');
  try {
    return await work(handle);
  } finally {
    await handle.close();
    await rm(path);
  }
}

const verdict = (bytes: Buffer) =>
  withFile(bytes, (handle) =>
    readContents(handle).then(
      () => 'accepted',
      (error: unknown) => `${(error as { code?: string }).code}: ${(error as Error).message}`,
    ),
  );

async function makeSet(): Promise<Buffer> {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  return readFile(await backup(server));
}

/** The set again, with other members. */
async function changed(bytes: Buffer, change: (inputs: TarInput[]) => TarInput[]): Promise<Buffer> {
  return withFile(bytes, async (handle) => {
    const inputs: TarInput[] = [];
    for (const { offset: _, ...member } of await readMembers(handle)) {
      const data = await readSmallMember(handle, { ...member, offset: _ } as FoundMember);
      inputs.push({ member, content: [data] });
    }
    const pieces: Buffer[] = [];
    for await (const piece of writeTar(change(inputs))) pieces.push(piece);
    return Buffer.concat(pieces);
  });
}

function replaceText(input: TarInput, from: string, to: string): TarInput {
  const [data] = [...(input.content as Buffer[])];
  const text = data?.toString('latin1') ?? '';
  if (!text.includes(from)) throw new Error(`${input.member.path} lacks ${from}`);
  const content = Buffer.from(text.replace(from, to), 'latin1');
  return { member: { ...input.member, size: content.length }, content: [content] };
}

test('a set that is cut at any block, or changed in any bit, is refused', async () => {
  const whole = await makeSet();
  expect(await verdict(whole)).toBe('accepted');
  for (let length = 0; length < whole.length; length += 512) {
    expect(await verdict(whole.subarray(0, length)), `cut to ${length}`).toMatch(/^untrusted: /);
  }
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: whole.length * 8 - 1 }), async (position) => {
      const flipped = Buffer.from(whole);
      const byte = position >> 3;
      flipped[byte] = (flipped[byte] ?? 0) ^ (1 << (position & 7));
      expect(await verdict(flipped)).toMatch(/^untrusted: /);
    }),
    { numRuns: 200 },
  );
}, 300_000);

test('every change of the members is refused, and says which', async () => {
  const whole = await makeSet();
  const at = (inputs: TarInput[], ending: string) => {
    const found = inputs.findIndex(({ member }) => member.path.endsWith(ending));
    if (found < 0) throw new Error(`no ${ending}`);
    return found;
  };
  const conf = (inputs: TarInput[]) => at(inputs, '/keytrustee.conf');
  const extra = (inputs: TarInput[]): TarInput => ({
    member: { ...(inputs[conf(inputs)] as TarInput).member, path: 'etc/cron.d/evil', size: 1 },
    content: [Buffer.from('x')],
  });
  const edit = (ending: string, with_: (input: TarInput) => TarInput) => (inputs: TarInput[]) =>
    inputs.with(at(inputs, ending), with_(inputs[at(inputs, ending)] as TarInput));
  const notWhole = (why: string) => new RegExp(`^untrusted: the set is not whole: ${why}$`);
  const cases: [string, (inputs: TarInput[]) => TarInput[], RegExp][] = [
    [
      'an extra member',
      (all) => all.toSpliced(3, 0, extra(all)),
      notWhole('etc/cron.d/evil is not in its manifest'),
    ],
    ['a missing file', (all) => all.toSpliced(conf(all), 1), notWhole('\\S+/keytrustee.conf is missing')],
    ['a missing script', (all) => all.toSpliced(at(all, '.sql'), 1), notWhole('\\S+\\.sql is missing')],
    [
      'a missing table',
      (all) => all.toSpliced(at(all, '/client.copy'), 1),
      notWhole('\\S+/client\\.copy is missing'),
    ],
    ['a missing end', (all) => all.toSpliced(-2, 1), notWhole('\\S+/constraints\\.sql is missing')],
    ['no manifest', (all) => all.slice(0, -1), /^untrusted: the set has no manifest at its end/],
    [
      'a manifest that is not last',
      (all) => [...all.slice(0, -2), ...all.slice(-2).toReversed()],
      /^untrusted: the set has no manifest at its end/,
    ],
    [
      'a member twice',
      (all) => all.toSpliced(2, 0, all[conf(all)] as TarInput),
      /^untrusted: the archive is damaged: \S+ is in it twice$/,
    ],
    [
      'another order',
      (all) => [...all.slice(1, -1), ...all.slice(0, 1), ...all.slice(-1)],
      notWhole('\\S+ is not in its place'),
    ],
    [
      'another mode',
      edit('/keytrustee.conf', (one) => ({ ...one, member: { ...one.member, mode: 0o4755 } })),
      notWhole('\\S+ is not as the manifest says'),
    ],
    [
      'another owner',
      edit('/keytrustee.conf', (one) => ({ ...one, member: { ...one.member, owner: 'root' } })),
      notWhole('\\S+ is not as the manifest says'),
    ],
    [
      'a directory for a file',
      edit('/logging.conf', (one) => ({
        member: { ...one.member, type: 'Directory', size: 0 },
        content: [],
      })),
      notWhole('\\S+ is not as the manifest says'),
    ],
    [
      'another size',
      edit('/keytrustee.conf', (one) => replaceText(one, '{', '{ ')),
      notWhole('\\S+ is not as the manifest says'),
    ],
    [
      'other bytes',
      edit('/keytrustee.conf', (one) => replaceText(one, 'kts01', 'kts02')),
      notWhole('\\S+ has another digest than the manifest says'),
    ],
    [
      'another dump',
      edit('/organization.copy', (one) => replaceText(one, 'prod', 'evil')),
      notWhole('\\S+/organization\\.copy has another digest than the manifest says'),
    ],
    [
      'another manifest',
      edit('.manifest.asc', (one) => replaceText(one, '"sequence": 1', '"sequence": 2')),
      /^untrusted: the signature is not good, or its key is not known$/,
    ],
    [
      'no signature',
      edit('.manifest.asc', (one) => ({ member: { ...one.member, size: 2 }, content: [Buffer.from('{}')] })),
      /^untrusted: the signature is not in the form that this program writes$/,
    ],
    [
      'no public keys',
      (all) => all.toSpliced(at(all, '/pubring.kbx'), 1),
      notWhole('it holds no public keys'),
    ],
  ];
  for (const [what, change, expected] of cases) {
    expect(await verdict(await changed(whole, change)), what).toMatch(expected);
  }
  expect(await verdict(await changed(whole, (inputs) => inputs))).toBe('accepted');
}, 120_000);

test('text around the signature, a second signature, and another form of it are refused', async () => {
  const whole = await makeSet();
  const wrap = (text: (signed: string) => string) =>
    changed(whole, (inputs) => {
      const last = inputs.at(-1) as TarInput;
      const data = Buffer.from(text(`${(last.content as Buffer[])[0]}`));
      return inputs.with(-1, { member: { ...last.member, size: data.length }, content: [data] });
    });
  const changes: ((signed: string) => string)[] = [
    (signed) => `{"format":1}\n${signed}`,
    (signed) => `\n${signed}`,
    (signed) => `${signed}{"format":1}\n`,
    (signed) => signed + signed,
    (signed) => signed.slice(0, -1),
    (signed) => signed.replace('Hash: SHA512\n', 'Hash: SHA512\nComment: x\n'),
    (signed) => signed.replace(/\n/g, '\r\n'),
    (signed) => signed.replace('SIGNATURE-----\n\n', 'SIGNATURE-----\nVersion: x\n\n'),
  ];
  for (const change of changes) {
    expect(await verdict(await wrap(change)), change.toString()).toMatch(/^untrusted: the signature is not /);
  }
});

test('what came out of it is what went in', async () => {
  const whole = await makeSet();
  const scratch = await temporaryDirectory();
  await writeFile(join(scratch, 'set.tar'), whole);
  const handle = await open(join(scratch, 'set.tar'), 'r');
  try {
    const contents = await readContents(handle);
    expect(contents.manifest.database.rows).toMatchObject({ organization: 1, contact: 1, deposit: 0 });
    expect(contents.configuration.EXTERNAL_ADDRESS).toBe('kts01.example.com');
    expect([...contents.confdir.keys()]).toContain('.ssl/ssl-cert-keytrustee-pk.pem');
    expect(contents.confdir.get('')?.type).toBe('Directory');
    expect((await readSmallMember(handle, contents.dump)).toString()).toMatch(
      /\nbegin;\n[\s\S]*\ncommit;\n$/,
    );
    expect((await readSmallMember(handle, contents.parts[0] as FoundMember)).toString()).toContain(
      '-- PostgreSQL database dump',
    );
  } finally {
    await handle.close();
  }
});
