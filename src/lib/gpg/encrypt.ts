import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { load } from '../core/lazy.ts';
import type { Recipient } from './recipients.ts';

/**
 * Encrypts a stream to recipients. The session key is given, because that makes the library write the older integrity-
 * protected packet that GnuPG 2.2 reads (hazard OP-6); nothing is compressed, which keeps memory constant (OP-3); the
 * literal packet names no file and no time (GP-15).
 */
export async function encryptStream(plain: Readable, recipients: Recipient[]): Promise<Readable> {
  const openpgp = await load('openpgp');
  const encryptionKeys = await Promise.all(recipients.map(({ key }) => openpgp.readKey({ binaryKey: key })));
  const binary = Readable.toWeb(plain) as unknown as ReadableStream<Uint8Array>;
  const message = await openpgp.createMessage({ binary: binary as never, filename: '', date: new Date(0) });
  const sessionKey = { data: new Uint8Array(randomBytes(32)), algorithm: 'aes256' } as const;
  const encrypted = await openpgp.encrypt({
    message,
    encryptionKeys,
    sessionKey: sessionKey as never,
    format: 'binary',
  });
  return Readable.fromWeb(encrypted as unknown as ReadableStream<Uint8Array>);
}
