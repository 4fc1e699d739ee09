import { type FileHandle, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readMembers, readSmallMember } from '../../archive/read.ts';
import { digestOf } from '../../core/digest.ts';
import { KeyTrusteeError } from '../../core/errors.ts';
import { withKeyring } from '../../gpg/program.ts';
import { withPrivateHome } from '../../gpg/temporary.ts';
import { KEY_ENDING } from '../include/contents.ts';
import { checkReceipt, parseReceipt, type Receipt, readSignedReceipt } from '../receipt.ts';
import { type Finding, failed, notChecked, ok } from './checks.ts';

/** No keyring that counts is larger; bytes. */
const KEYRING_LIMIT = 16 * 1024 * 1024;

/** A receipt as it was found beside a set, and the file that lies there; plain data, with keyrings in base64. */
export interface FoundReceipt {
  signed: string;
  size: number;
  sha256: string;
  keyrings: string[];
}

async function readKeyring(path: string): Promise<string[]> {
  try {
    const { size } = await stat(path);
    return size > KEYRING_LIMIT ? [] : [await readFile(path, 'base64')];
  } catch {
    return [];
  }
}

/** Reads the receipt beside a set, and those keyrings of `places` that can be read; undefined where there is no receipt. */
export async function findReceipt(
  set: string,
  handle: FileHandle,
  places: string[],
): Promise<FoundReceipt | undefined> {
  const signed = await readSignedReceipt(set);
  if (signed === undefined) return undefined;
  const keyrings = (await Promise.all(places.map(readKeyring))).flat();
  return { signed, keyrings, ...(await digestOf(handle)) };
}

/** What a receipt says before anybody has looked at its signature. */
export function claimOf({ signed }: FoundReceipt): Receipt | undefined {
  const text = /^-----BEGIN PGP SIGNED MESSAGE-----\nHash: \w+\n\n([\s\S]*?\n)-----BEGIN PGP SIGNATURE/.exec(
    signed,
  )?.[1];
  try {
    return text === undefined ? undefined : parseReceipt(text);
  } catch {
    return undefined;
  }
}

/** The keyrings that a set holds, which count no more than the set's own signature. A client's set ends with its own. */
async function keyringOf(archive: FileHandle): Promise<string[]> {
  const members = await readMembers(archive);
  const server = members.find(({ path }) => basename(path) === 'pubring.kbx');
  const client = members.findLast(({ path }) => path.endsWith(KEY_ENDING));
  const found = [server, client].filter((member) => member !== undefined);
  return Promise.all(
    found.map(async (member) => (await readSmallMember(archive, member)).toString('base64')),
  );
}

/** Whether a keyring has the key that signed; undefined where it has not. */
async function checkWith(
  keyring: string,
  set: string,
  { signed }: FoundReceipt,
  claimed: Receipt,
): Promise<Receipt | undefined> {
  return withPrivateHome(async (home) => {
    const publicKeys = join(home, 'receipt.kbx');
    await writeFile(publicKeys, Buffer.from(keyring, 'base64'), { mode: 0o600, flag: 'wx' });
    return withKeyring({ publicKeys }, async (call) => {
      const key = claimed.fingerprint.slice(-40);
      const listed = await call(['--with-colons', '--list-keys', '--', key]);
      return listed.status === 0 ? checkReceipt(call, set, signed) : undefined;
    });
  });
}

function compare(found: FoundReceipt, receipt: Receipt): Finding {
  if (receipt.size !== found.size)
    return failed(`the file has ${found.size} bytes, and the server wrote ${receipt.size}`);
  if (receipt.sha256 !== found.sha256) return failed('the file has another digest than the server wrote');
  return ok(`number ${receipt.sequence} of ${receipt.created}, signed; size and digest of the file are its`);
}

/** What a receipt is worth; what it says, where its signature is good. */
export interface JudgedReceipt {
  finding: Finding;
  receipt?: Receipt;
}

/** Checks a receipt's signature by any keyring that has its key, and compares it with the file that it is of. */
export async function judgeReceipt(
  set: string,
  found: FoundReceipt,
  archive: FileHandle | undefined,
): Promise<JudgedReceipt> {
  const claimed = claimOf(found);
  if (claimed === undefined) return { finding: failed('it is not one that this version reads') };
  try {
    const inside = archive === undefined ? [] : await keyringOf(archive).catch(() => []);
    for (const keyring of [...found.keyrings, ...inside]) {
      const receipt = await checkWith(keyring, set, found, claimed);
      if (receipt !== undefined) return { finding: compare(found, receipt), receipt };
    }
    const why = `the public key of ${claimed.fingerprint}, which signed it, is not at hand`;
    return { finding: notChecked(why) };
  } catch (error) {
    if (error instanceof KeyTrusteeError && error.code === 'untrusted')
      return { finding: failed(error.message) };
    throw error;
  }
}
