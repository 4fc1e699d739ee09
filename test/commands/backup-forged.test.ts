/** Sets made by somebody who holds all of a set but not the server's secret key (hazards GP-8, PG-13). */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readMembers, readSmallMember } from '../../src/lib/archive/read.ts';
import { type TarInput, writeTar } from '../../src/lib/archive/write.ts';
import { databases, dumpLines } from '../support/deposits.ts';
import { give } from '../support/faults.ts';
import { type Keyring, keyring } from '../support/keyring.ts';
import { said } from '../support/refusal.ts';
import { checksums, temporaryDirectory, testServer } from '../support/sandbox.ts';
import { backup, type ManifestText } from '../support/sets.ts';

interface Member {
  input: TarInput;
  data: Buffer;
}

async function membersOf(set: string): Promise<Member[]> {
  const handle = await open(set, 'r');
  try {
    const members: Member[] = [];
    for (const found of await readMembers(handle)) {
      const { offset: _, ...member } = found;
      const data = await readSmallMember(handle, found);
      members.push({ input: { member, content: [data] }, data });
    }
    return members;
  } finally {
    await handle.close();
  }
}

function replace(members: Member[], ending: string, change: (data: Buffer) => Buffer): Member[] {
  return members.map((each) => {
    if (!each.input.member.path.endsWith(ending)) return each;
    const data = change(each.data);
    return { data, input: { member: { ...each.input.member, size: data.length }, content: [data] } };
  });
}

/** The manifest that fits the members, in which somebody says who made the set. */
function manifestOf(members: Member[], fingerprint: string): string {
  const signed = members.at(-1)?.data.toString('utf8') ?? '';
  const text = signed.slice(signed.indexOf('\n{'), signed.lastIndexOf('\n}') + 2).replace(/^- /gm, '');
  const manifest = { ...(JSON.parse(text) as ManifestText), fingerprint };
  for (const listed of manifest.members) {
    const found = members.find(({ input }) => input.member.path === listed.path);
    if (listed.type !== 'File' || found === undefined) continue;
    listed.size = found.data.length;
    listed.sha256 = createHash('sha256').update(found.data).digest('hex');
  }
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** A set in which psql is told to run a command, with digests that fit, and a signature of the stranger's. */
async function forge(
  set: string,
  stranger: Keyring,
  { mark, fingerprint, ownKeys }: { mark: string; fingerprint: string; ownKeys: boolean },
): Promise<Buffer> {
  let members = replace(await membersOf(set), '/tables.sql', (dump) =>
    Buffer.concat([Buffer.from(`\\! touch ${mark}\n`), dump]),
  );
  const keys = await readFile(join(stranger.home, 'pubring.kbx'));
  if (ownKeys) members = replace(members, '/pubring.kbx', () => keys);
  const signed = await stranger.gpg(['--digest-algo', 'SHA512', '--clearsign'], {
    input: manifestOf(members, fingerprint),
  });
  const pieces: Buffer[] = [];
  const inputs = replace(members, '.manifest.asc', () => Buffer.from(signed)).map(({ input }) => input);
  for await (const piece of writeTar(inputs)) pieces.push(piece);
  return Buffer.concat(pieces);
}

test('a set forged without the server’s secret key never reaches psql, whoever it claims to be from', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  const set = await backup(server);
  const directory = await temporaryDirectory();
  const stranger = await keyring(directory, 'stranger');
  const key = await stranger.make('Mallory');
  const mark = join(directory, 'mark');
  const before = [await dumpLines(server), await checksums(server.confdir), await databases(server)];
  const cases: [string, boolean, string[], RegExp][] = [
    [server.fingerprint, false, [], /^ktadmin: error: .*signature/],
    [
      server.fingerprint,
      true,
      [],
      /^ktadmin: error: the set names the server .*, but [0-9A-F]{40} signed it\n/,
    ],
    [`4096R/${key}`, true, [], /^ktadmin: error: the set belongs to another server: /],
    [
      `4096R/${key}`,
      true,
      ['--only', 'organization=prod'],
      /^ktadmin: error: the set belongs to another server: /,
    ],
  ];
  for (const [fingerprint, ownKeys, words, stderr] of cases) {
    const forged = join(directory, 'forged.tar');
    await writeFile(forged, await forge(set, stranger, { mark, fingerprint, ownKeys }));
    await give(forged);
    const refused = said(await server.ktadmin(['restore', forged, '--yes', ...words]));
    expect(refused).toEqual({ status: 8, stdout: '', stderr: expect.stringMatching(stderr) as string });
    expect(existsSync(mark)).toBe(false);
    const after = [await dumpLines(server), await checksums(server.confdir), await databases(server)];
    expect(after).toEqual(before);
  }
});
