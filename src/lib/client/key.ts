import type { PrivateKey } from 'openpgp';
import { failure } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
import { type ClientFiles, readOwn, writeOnce } from './home.ts';

const LIMIT = 65_536;

/**
 * By how much the clock of a server may be behind; milliseconds. A key that is made later than now, as the server has it, is
 * none for that server: a new one is dated back.
 */
const DAY = 86_400_000;

/** A client's own OpenPGP key, ready for use: it has no passphrase, and its file is 0600. */
export interface ClientKey {
  fingerprint: string;
  key: PrivateKey;
  /** As the server is given it. */
  publicKey: string;
  /** As the file has it. */
  armored: string;
}

/** The oldest form of Curve25519, version 4, and nothing newer advertised, so that GnuPG 2.2 can use key and deposits. */
async function generate(name: string): Promise<string> {
  const openpgp = await load('openpgp');
  const { privateKey } = await openpgp.generateKey({
    type: 'ecc',
    curve: 'curve25519Legacy',
    userIDs: [{ name }],
    date: new Date(Date.now() - DAY),
    format: 'armored',
    config: { v6Keys: false, aeadProtect: false },
  });
  return privateKey;
}

async function parse(path: string, armored: string): Promise<ClientKey> {
  const openpgp = await load('openpgp');
  try {
    const key = await openpgp.readPrivateKey({ armoredKey: armored });
    const fingerprint = key.getFingerprint().toUpperCase();
    return { fingerprint, key, publicKey: key.toPublic().armor(), armored };
  } catch {
    throw failure('untrusted', `${path} holds no OpenPGP key of a client`);
  }
}

/** Reads the client's key; undefined where it has none yet. */
export async function readKey({ key: path }: ClientFiles): Promise<ClientKey | undefined> {
  const bytes = await readOwn(path, LIMIT);
  return bytes === undefined ? undefined : parse(path, bytes.toString('utf8'));
}

/** Reads the client's key, or makes it. Of two that make it at the same time, both get the same one. */
export async function ensureKey(files: ClientFiles, name: string): Promise<ClientKey> {
  const found = await readKey(files);
  if (found !== undefined) return found;
  await writeOnce(files.key, [Buffer.from(await generate(name))], true);
  return (await readKey(files)) ?? ensureKey(files, name);
}

/** Proves possession of the key: a detached signature, armoured, over the bytes of a text. */
export async function signChallenge({ key }: ClientKey, challenge: string): Promise<string> {
  const openpgp = await load('openpgp');
  const message = await openpgp.createMessage({ binary: Buffer.from(challenge) });
  return await openpgp.sign({ message, signingKeys: key, detached: true, format: 'armored' });
}
