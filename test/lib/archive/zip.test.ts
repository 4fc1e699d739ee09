/** Zip files of Info-ZIP, whole and hostile. The hostile ones are whole ones in which some bytes were changed. */
import { mkdir, mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readZip } from '../../../src/lib/archive/zip.ts';
import { hasZip } from '../../support/original.ts';
import { run, world } from '../../support/sandbox.ts';

const PASSWORD = 'pass word';

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(world.directory, 'z'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function zip(cwd: string, args: string[], input?: string): Promise<string> {
  const path = join(cwd, 'it.zip');
  const done = await run('zip', ['-q', ...args], { cwd, ...(input === undefined ? {} : { input }) });
  if (done.status !== 0) throw new Error(done.stdout + done.stderr);
  return path;
}

/** Every member's bytes by its path, or the message of the refusal; `in.zip` is how the file is called. */
async function contents(path: string, password?: string): Promise<Record<string, number | string> | string> {
  const handle = await open(path, 'r');
  try {
    const found: Record<string, number | string> = {};
    for (const member of await readZip(handle, 'in.zip')) {
      let size = 0;
      if (member.type === 'File') for await (const piece of member.read(password)) size += piece.length;
      found[member.path] = member.type === 'File' ? size : 'directory';
    }
    return found;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await handle.close();
  }
}

/** A zip file in which a text is another one of the same length, in every place. */
async function changed(path: string, from: string, to: string): Promise<string> {
  const bytes = (await readFile(path)).toString('latin1').replaceAll(from, to);
  const other = join(path, '..', 'changed.zip');
  await writeFile(other, Buffer.from(bytes, 'latin1'));
  return other;
}

test.skipIf(!hasZip)(
  'what Info-ZIP encrypts is read, from files and from standard input (needs zip)',
  async () => {
    const directory = await scratch();
    await mkdir(join(directory, 'a/b'), { recursive: true });
    await writeFile(join(directory, 'a/b/stored'), '');
    await writeFile(join(directory, 'a/deflated'), 'x'.repeat(300_000));
    const files = await zip(directory, ['-r', '-P', PASSWORD, 'it.zip', 'a']);
    expect(await contents(files, PASSWORD)).toEqual({
      a: 'directory',
      'a/b': 'directory',
      'a/b/stored': 0,
      'a/deflated': 300_000,
    });
    await rm(files);
    const dump = 'insert into t values (1);\n'.repeat(100_000);
    expect(await contents(await zip(directory, ['-P', PASSWORD, 'it.zip', '-'], dump), PASSWORD)).toEqual({
      '-': dump.length,
    });
  },
);

test.skipIf(!hasZip)(
  'no wrong password opens one, also where the single byte that is compared fits (needs zip)',
  async () => {
    const directory = await scratch();
    const path = await zip(directory, ['-P', PASSWORD, 'it.zip', '-'], 'a dump\n'.repeat(10_000));
    const wrong = 'in.zip: wrong password, or the file is damaged';
    for (let number = 0; number < 1024; number += 1)
      expect(await contents(path, `wrong${number}`)).toBe(wrong);
    expect(await contents(path)).toBe(wrong);
  },
);

test.skipIf(!hasZip)(
  'names that lead out, links and a second member of a name are refused (needs zip)',
  async () => {
    const directory = await scratch();
    await writeFile(join(directory, 'abcdefgh'), 'one');
    await writeFile(join(directory, 'abcdefgx'), 'two');
    const path = await zip(directory, ['it.zip', 'abcdefgh', 'abcdefgx']);
    for (const name of ['../../ab', '/bcdefgh', 'abc/../h', 'abc//fgh', './cdefgh', 'a\\..\\abc'])
      expect(await contents(await changed(path, 'abcdefgh', name)), name).toBe(
        `in.zip is damaged: ${JSON.stringify(name)} leads out of it`,
      );
    expect(await contents(await changed(path, 'abcdefgx', 'abcdefgh'))).toBe(
      'in.zip is damaged: abcdefgh is in it twice',
    );
    await symlink('/etc/passwd', join(directory, 'link'));
    await rm(path);
    await zip(directory, ['-y', 'it.zip', 'link']);
    expect(await contents(path)).toBe('in.zip is damaged: "link" is neither a file nor a directory');
  },
);

test.skipIf(!hasZip)(
  'one that was cut or changed anywhere is refused, or yields the very same bytes (needs zip)',
  async () => {
    const directory = await scratch();
    const text = 'select pg_catalog.setval(1);\n'.repeat(200);
    await writeFile(join(directory, 'dump'), text);
    for (const how of [['-P', PASSWORD], []]) {
      const path = await zip(directory, [...how, 'it.zip', 'dump']);
      const bytes = await readFile(path);
      const other = join(directory, 'other.zip');
      for (let length = 0; length < bytes.length; length += 7) {
        await writeFile(other, bytes.subarray(0, length));
        expect(await contents(other, PASSWORD), `${length} bytes`).toEqual(expect.any(String));
      }
      for (let index = 0; index < bytes.length; index += 1) {
        const flipped = Buffer.from(bytes);
        flipped[index] = (flipped[index] ?? 0) ^ 0x10;
        await writeFile(other, flipped);
        const found = await contents(other, PASSWORD);
        const sizes = typeof found === 'string' ? [] : Object.values(found);
        expect([[], [text.length]], `byte ${index}: ${JSON.stringify(found)}`).toContainEqual(sizes);
      }
      await rm(path);
    }
  },
);

test.skipIf(!hasZip)(
  'a zip bomb yields no more than it says, and that is known before it is read (needs zip)',
  async () => {
    const directory = await scratch();
    const path = await zip(directory, ['-9', 'it.zip', '-'], '\0'.repeat(20_000_000));
    const bytes = await readFile(path);
    const handle = await open(path, 'r');
    const [member] = await readZip(handle, 'in.zip');
    await handle.close();
    expect(member?.size).toBe(20_000_000);
    expect(bytes.length).toBeLessThan(100_000);
    // The central directory now speaks of 1000 bytes, whether in 32 or in 64 bits.
    const lying = Buffer.from(bytes);
    const from = lying.lastIndexOf(Buffer.from('PK\u0001\u0002', 'latin1'));
    for (let at = from; at >= 0 && at < lying.length - 4; at += 1) {
      if (lying.readUInt32LE(at) === 20_000_000) lying.writeUInt32LE(1000, at);
    }
    const other = join(directory, 'other.zip');
    await writeFile(other, lying);
    expect(await contents(other)).toEqual(expect.stringMatching(/^in\.zip is damaged: /));
  },
);
