import { execFileSync } from 'node:child_process';
import { type FileHandle, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TarMember } from '../../../src/lib/archive/member.ts';
import { readMember, readMembers } from '../../../src/lib/archive/read.ts';
import { type TarInput, writeTar } from '../../../src/lib/archive/write.ts';
import { world } from '../../support/sandbox.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(world.directory, 't'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function file(path: string, data: Buffer | string = '', changes: Partial<TarMember> = {}): TarInput {
  const content = Buffer.from(data);
  const member: TarMember = {
    path,
    type: 'File',
    size: content.length,
    mode: 0o600,
    owner: 'keytrustee',
    group: 'keytrustee',
    uid: 998,
    gid: 997,
    modified: new Date('2016-02-10T11:14:37Z'),
    ...changes,
  };
  return { member, content: [content] };
}

async function bytesOf(inputs: TarInput[]): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of writeTar(inputs)) pieces.push(piece);
  return Buffer.concat(pieces);
}

let number = 0;
async function withArchive<T>(
  bytes: Buffer,
  work: (handle: FileHandle, path: string) => Promise<T>,
): Promise<T> {
  number += 1;
  const path = join(directory, `${number}.tar`);
  await writeFile(path, bytes);
  const handle = await open(path, 'r');
  try {
    return await work(handle, path);
  } finally {
    await handle.close();
    await rm(path);
  }
}

const listed = (bytes: Buffer) => withArchive(bytes, (handle) => readMembers(handle));
const message = (bytes: Buffer) =>
  listed(bytes).then(
    (members) => `accepted: ${members.map(({ path }) => path).join(' ')}`,
    (error: unknown) => (error as Error).message,
  );

/** GNU tar's own listing: `mode owner/group size date time name`, names escaped as in C. */
function gnuList(path: string): string[] {
  const args = ['--utc', '--full-time', '--quoting-style=escape', '-tvf', path];
  const env = { ...process.env, LC_ALL: 'C.UTF-8' };
  const text = execFileSync('tar', args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'inherit'] });
  return text.split('\n').filter((line) => line !== '');
}

async function read(handle: FileHandle, path: string): Promise<string> {
  const member = (await readMembers(handle)).find((found) => found.path === path);
  if (member === undefined) throw new Error(`no ${path}`);
  const pieces: Buffer[] = [];
  for await (const piece of readMember(handle, member)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

test.each([
  ['a name with a line feed', 'var/lib/a\nb'],
  ['a name in UTF-8', 'var/lib/Schlüssel-鍵'],
  ['a name of a hundred bytes', 'x'.repeat(100)],
  ['a directory prefix and a name that just fit', `${'d'.repeat(100)}/${'x'.repeat(100)}`],
  ['defect: a file name above 100 bytes lost its place', `var/lib/keytrustee/${'x'.repeat(200)}`],
  ['defect: a long name in UTF-8 lost its place', `var/lib/keytrustee/${'ü'.repeat(40)}/${'é'.repeat(30)}`],
  ['defect: a long name with a line feed was cut at it', `var/lib/${'x'.repeat(120)}\ny=z\n${'ä'.repeat(9)}`],
  ['a path of a thousand bytes', Array.from({ length: 20 }, () => 'p'.repeat(50)).join('/')],
  ['a name with an equals sign and spaces', 'var/ a=b c '],
])('%s is read back and extracted by GNU tar', async (_, path) => {
  await withArchive(await bytesOf([file(path, 'content')]), async (handle, place) => {
    expect((await readMembers(handle)).map((member) => member.path)).toEqual([path]);
    expect(await read(handle, path)).toBe('content');
    expect(execFileSync('tar', ['-xOf', place, path], { encoding: 'utf8' })).toBe('content');
  });
});

const part = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9._ =,+-]{1,60}$/),
  fc.stringMatching(/^[a-z]{90,180}$/),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
);
const path = fc
  .array(part, { minLength: 1, maxLength: 5 })
  .map((parts) => parts.map((name) => Buffer.from(name.replace(/[/\0]/g, '_')).toString()).join('/'))
  .filter((name) => !name.split('/').some((word) => word === '.' || word === '..'))
  .filter((name) => name.split('/').every((word) => Buffer.byteLength(word) <= 255));
const member = fc.record({
  path,
  isDirectory: fc.boolean(),
  data: fc.uint8Array({ maxLength: 1200 }).map((data) => Buffer.from(data)),
  mode: fc.integer({ min: 0, max: 0o777 }),
  owner: fc.stringMatching(/^[a-z_][a-z0-9_-]{0,30}$/),
  uid: fc.oneof(fc.integer({ min: 0, max: 70_000 }), fc.constant(2_147_000_000)),
  seconds: fc.integer({ min: 0, max: 4_000_000_000 }),
});

test('whatever is written is listed identically by GNU tar and read back by our reader', async () => {
  const archives = fc.uniqueArray(member, { selector: (value) => value.path, minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(archives, async (values) => {
      const inputs = values.map(({ path: name, isDirectory, data, mode, owner, uid, seconds }) =>
        file(name, isDirectory ? '' : data, {
          type: isDirectory ? 'Directory' : 'File',
          modified: new Date(seconds * 1000),
          ...{ mode, owner, group: owner, uid, gid: uid },
        }),
      );
      await withArchive(await bytesOf(inputs), async (handle, place) => {
        const found = await readMembers(handle);
        expect(found.map(({ offset: _, ...rest }) => rest)).toEqual(inputs.map((input) => input.member));
        for (const [index, value] of values.entries()) {
          if (!value.isDirectory) expect(await read(handle, value.path)).toBe(value.data.toString());
          expect(found[index]?.uid).toBe(value.uid);
        }
        const lines = gnuList(place);
        expect(lines).toHaveLength(values.length);
        for (const [index, value] of values.entries()) {
          const [mode, owner, size, date, time] = lines[index]?.split(/\s+/) ?? [];
          expect(mode?.[0]).toBe(value.isDirectory ? 'd' : '-');
          expect(owner).toBe(`${value.owner}/${value.owner}`);
          expect(Number(size)).toBe(value.isDirectory ? 0 : value.data.length);
          expect(new Date(`${date}T${time}Z`)).toEqual(new Date(value.seconds * 1000));
        }
        const names = execFileSync('tar', ['--null', '--quoting-style=literal', '-tf', place]).toString();
        expect(names).toBe(values.map((value) => `${value.path}${value.isDirectory ? '/' : ''}\n`).join(''));
      });
    }),
    { numRuns: 60 },
  );
}, 120_000);

test('an account name that no plain header holds is kept', async () => {
  for (const owner of ['a'.repeat(32), 'a'.repeat(60), 'schlüssel']) {
    const [found] = await listed(await bytesOf([file('x', 'y', { owner, group: owner })]));
    expect(found).toMatchObject({ owner, group: owner, path: 'x' });
  }
});

test('a member whose bytes are not as many as was said is an error', async () => {
  const short = file('x', 'abc');
  short.member.size = 4;
  await expect(bytesOf([short])).rejects.toThrow('x changed its size while it was read');
});

const sample = () =>
  bytesOf([file('a/b', 'x'.repeat(700)), file(`a/${'y'.repeat(150)}`, 'long'), file('a/c', '')]);

test('a cut at any block, and in the middle of any, is noticed', async () => {
  const whole = await sample();
  expect(await message(whole)).toMatch(/^accepted/);
  for (let length = 0; length < whole.length; length += 256) {
    expect(await message(whole.subarray(0, length)), `cut to ${length}`).toBe(
      'the archive is damaged: it is cut short',
    );
  }
});

test('defect: bits outside every digest could be flipped unnoticed', async () => {
  const whole = await sample();
  const members = await listed(whole);
  const inData = (position: number) =>
    members.some(({ offset, size }) => position >= offset && position < offset + size);
  for (let position = 0; position < whole.length; position += 1) {
    if (inData(position)) continue;
    const bit = 1 << (position % 8);
    const flipped = Buffer.from(whole);
    flipped[position] = (flipped[position] ?? 0) ^ bit;
    const after = await listed(flipped).catch((error: unknown) => {
      expect((error as Error).message).toMatch(/^the archive is damaged: /);
    });
    // What no check of the archive itself can see is a name in an extended header, which the manifest knows.
    if (after === undefined) continue;
    expect(
      after.map((found) => found.path),
      `byte ${position}`,
    ).not.toEqual(members.map((found) => found.path));
  }
}, 120_000);

function gnuTar(...args: string[]): Buffer {
  return execFileSync('tar', ['-cf', '-', '--numeric-owner', '-C', directory, ...args], {
    maxBuffer: 64 * 1024 * 1024,
  });
}

test.each([
  ['a link', 'ln -s /etc/passwd in/link', 'the archive is damaged: in/link is of the type SymbolicLink'],
  ['a hard link', 'echo x > in/a; ln in/a in/b', /^the archive is damaged: in\/[ab] is of the type Link$/],
  ['a FIFO', 'mkfifo in/pipe', 'the archive is damaged: in/pipe is of the type FIFO'],
])('%s in an archive is refused', async (_, make, expected) => {
  execFileSync('sh', ['-c', `mkdir in; ${make}`], { cwd: directory });
  try {
    const said = await message(gnuTar('in'));
    if (typeof expected === 'string') expect(said).toBe(expected);
    else expect(said).toMatch(expected);
  } finally {
    await rm(join(directory, 'in'), { recursive: true });
  }
});

test.each([
  ['an absolute name', [file('/etc/passwd', 'x')], 'the archive is damaged: /etc/passwd leads out of it'],
  ['a way up', [file('a/../../b', 'x')], 'the archive is damaged: a/../../b leads out of it'],
  ['one name twice', [file('a', 'x'), file('a', 'y')], 'the archive is damaged: a is in it twice'],
])('%s is refused', async (_, inputs, expected) => {
  expect(await message(await bytesOf(inputs))).toBe(expected);
});

test('bytes after the end, gzip, and an extended header without a member are refused', async () => {
  const whole = await sample();
  expect(await message(Buffer.concat([whole, Buffer.from([1])]))).toBe(
    'the archive is damaged: something follows its end',
  );
  expect(await message(Buffer.concat([whole, whole]))).toBe(
    'the archive is damaged: something follows its end',
  );
  expect(await message(Buffer.concat([whole, Buffer.alloc(9 * 512)]))).toMatch(/^accepted/);
  const { gzipSync } = await import('node:zlib');
  expect(await message(Buffer.concat([gzipSync(whole), Buffer.alloc(4096)]))).toBe(
    'the archive is damaged: the header at byte 0 is not one',
  );
  const long = await bytesOf([file('z'.repeat(150), '')]);
  expect(await message(Buffer.concat([long.subarray(0, 1024), Buffer.alloc(1024)]))).toBe(
    'the archive is damaged: the header at byte 1024 is not one',
  );
});
