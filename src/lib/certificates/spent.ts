import { createPublicKey, type KeyObject } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failure } from '../core/errors.ts';
import { keyFingerprint } from '../tls/new-key.ts';
import { type PairFiles, readChain } from '../tls/pair.ts';
import { pendingFiles } from './pending.ts';

const real = (path: string) => realpath(path).catch(() => path);

/** Refuses to write where the pair in use lies: somebody named the files that waited, instead of having them copied. */
export async function refuseInUse(sslDirectory: string, inUse: PairFiles): Promise<void> {
  const directory = await real(pendingFiles(sslDirectory).directory);
  const { SSL_CERTIFICATE, SSL_PRIVATE_KEY } = inUse;
  for (const [name, path] of Object.entries({ SSL_CERTIFICATE, SSL_PRIVATE_KEY })) {
    if (dirname(await real(path)) !== directory) continue;
    throw failure(
      'conflict',
      `${name} ${path} is in use where new keys wait`,
      `ktadmin cert rotate --cert ${SSL_CERTIFICATE} --key ${SSL_PRIVATE_KEY} copies both elsewhere`,
    );
  }
}

/** Whether a key that waits is the one in use by now: then it waits for nothing, and a new key is to be made. */
export async function isSpent(waiting: KeyObject, inUse: PairFiles): Promise<boolean> {
  const [certificate] = await readChain(inUse).catch(() => []);
  return (
    certificate !== undefined &&
    keyFingerprint(createPublicKey(waiting)) === keyFingerprint(certificate.publicKey)
  );
}
