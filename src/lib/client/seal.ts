import { randomBytes } from 'node:crypto';
import type { SignaturePacket } from 'openpgp';
import { failure } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
import type { ClientKey } from './key.ts';

/** The largest deposit that a server takes; bytes, encrypted. */
const LARGEST_DEPOSIT = 1024 * 1024;
/** The name under which the signature of a deposit says what handle it was made for. */
const HANDLE_NOTATION = 'handle@keytrustee';

/**
 * Encrypts content to the client itself and signs it, handle included. The packet is the integrity-protected one that
 * GnuPG 2.2 reads (OP-6: a given session key keeps the library from the newer one), without compression. The signature is
 * what keeps a server, which has the client's public key, from making deposits of its own.
 */
export async function seal({ key }: ClientKey, content: Uint8Array, handle?: string): Promise<Uint8Array> {
  const openpgp = await load('openpgp');
  const notation = { name: HANDLE_NOTATION, humanReadable: true, critical: false };
  const sealed = await openpgp.encrypt({
    message: await openpgp.createMessage({ binary: content }),
    encryptionKeys: key.toPublic(),
    signingKeys: key,
    sessionKey: { data: randomBytes(32), algorithm: 'aes256' },
    ...(handle === undefined
      ? {}
      : { signatureNotations: [{ ...notation, value: new TextEncoder().encode(handle) }] }),
    format: 'binary',
  });
  if (sealed.length <= LARGEST_DEPOSIT) return sealed;
  const most = content.length - (sealed.length - LARGEST_DEPOSIT);
  throw failure(
    'usage',
    `${content.length} bytes are too much: encrypted, they would be ${sealed.length}, and a deposit has at most ${LARGEST_DEPOSIT}`,
    `the content can have ${most} bytes here; encrypt a larger one with a key of its own, and deposit that key`,
  );
}

function handleOf({ rawNotations }: SignaturePacket): string | null {
  const found = rawNotations.find(({ name }) => name === HANDLE_NOTATION);
  return found === undefined ? null : new TextDecoder().decode(found.value);
}

/** Decrypts what `seal` made; whatever somebody else made, or changed, or gave another handle, is refused. */
export async function unseal(
  { key }: ClientKey,
  sealed: Uint8Array,
  handle: string | null,
): Promise<Uint8Array> {
  const openpgp = await load('openpgp');
  try {
    const { data, signatures } = await openpgp.decrypt({
      message: await openpgp.readMessage({ binaryMessage: sealed }),
      decryptionKeys: key,
      verificationKeys: key.toPublic(),
      expectSigned: true,
      format: 'binary',
    });
    const packets = await Promise.all(signatures.map(async ({ signature }) => (await signature).packets[0]));
    const [signature] = packets;
    if (signature === undefined || handleOf(signature) !== handle) throw new Error('made for another handle');
    return data;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw failure(
      'untrusted',
      `the deposit is not what this client stored: ${reason}`,
      'nothing of it was written; ask whoever runs the server, or fetch it from a backup',
      error,
    );
  }
}
