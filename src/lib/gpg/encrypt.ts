import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { errorCode, failure } from '../core/errors.ts';
import type { StreamingChild } from '../core/process.ts';
import { gpgFailure, startGpg } from './program.ts';
import type { Recipient } from './recipients.ts';
import { withPrivateHome } from './temporary.ts';

/**
 * How GnuPG is to encrypt: to exactly the keys in these files (hazards GP-1, GP-5), in the integrity-protected packet that
 * every GnuPG since 2.2 reads (2.4 would write another one to keys that allow it), and without compression, which takes
 * nine tenths of the time and gains little on deposits, as their clients have encrypted them.
 */
function encryptionArguments(keys: string[]): string[] {
  const packet = ['--rfc4880', '--cipher-algo', 'AES256', '--compress-algo', 'none', '--set-filename', ''];
  const recipients = keys.flatMap((path) => ['--recipient-file', path]);
  return [
    '--status-fd',
    '2',
    '--trust-model',
    'always',
    '--no-encrypt-to',
    ...packet,
    ...recipients,
    '--encrypt',
  ];
}

/** What a pipe says whose reader has ended. */
const BROKEN = new Set(['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED']);

/** Why what GnuPG wrote counts for nothing. Its own reason comes before the pipe that broke when it ended. */
async function checkEnd({ done }: StreamingChild, fed: Promise<unknown>, written: number): Promise<void> {
  const error = await fed;
  const isBroken = BROKEN.has(errorCode(error) ?? '');
  if (error !== undefined && !isBroken) throw error;
  const result = await done;
  if (result.status !== 0) throw gpgFailure(result);
  const finished = result.stderr.split('\n').includes('[GNUPG:] END_ENCRYPTION');
  if (!finished || isBroken || written === 0)
    throw failure('failed', 'gpg ended without finishing the encryption');
}

async function writeKeys(home: string, recipients: Recipient[]): Promise<string[]> {
  const paths = recipients.map(({ fingerprint }) => join(home, `${fingerprint}.key`));
  for (const [index, { key }] of recipients.entries())
    await writeFile(paths[index] ?? '', key, { mode: 0o600, flag: 'wx' });
  return paths;
}

/** What GnuPG writes, and at its end the reason why it counts for nothing, if there is one. */
async function* outputOf(child: StreamingChild, fed: Promise<unknown>): AsyncGenerator<Buffer> {
  let written = 0;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    written += chunk.length;
    yield chunk;
  }
  await checkEnd(child, fed, written);
}

/**
 * Encrypts a stream to recipients by GnuPG, which is twice as fast as the library is in this process, and lends the
 * result. It is whole only when it was read to its end without an error.
 */
export async function withEncryption<T>(
  plain: AsyncIterable<Buffer>,
  recipients: Recipient[],
  work: (encrypted: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  return withPrivateHome(async (home) => {
    const child = await startGpg(home, encryptionArguments(await writeKeys(home, recipients)));
    const fed = pipeline(plain, child.stdin).then(
      () => undefined,
      (error: unknown) => error,
    );
    try {
      return await work(outputOf(child, fed));
    } finally {
      child.kill();
      await fed;
      await child.done.catch(() => undefined);
    }
  });
}
