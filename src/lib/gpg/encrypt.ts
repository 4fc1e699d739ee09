import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, failure } from '../core/errors.ts';
import { type PipedChild, readPipe, writePipe } from '../core/pipes.ts';
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

/** Writes everything to GnuPG, in the order in which it comes, and closes its input. */
async function feed({ input }: PipedChild, plain: AsyncIterable<Buffer>): Promise<void> {
  if (input === undefined) return;
  try {
    for await (const chunk of plain) await writePipe(input, chunk);
  } finally {
    await input.close();
  }
}

/** Why what GnuPG wrote counts for nothing. Its own reason comes before the pipe that broke when it ended. */
async function checkEnd({ done, kill }: PipedChild, fed: Promise<unknown>, written: number): Promise<void> {
  const error = await fed;
  const isBroken = errorCode(error) === 'EPIPE';
  if (error !== undefined && !isBroken) {
    kill();
    throw error;
  }
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
async function* outputOf(child: PipedChild, fed: Promise<unknown>): AsyncGenerator<Buffer> {
  let written = 0;
  for await (const chunk of readPipe(child.output)) {
    written += chunk.length;
    yield chunk;
  }
  await checkEnd(child, fed, written);
}

/**
 * Encrypts a stream to recipients by GnuPG, which is twice as fast as the library is in this process, and lends the
 * result: pieces, each valid until the next one is asked for. It is whole only when it was read to its end without an error.
 */
export async function withEncryption<T>(
  plain: AsyncIterable<Buffer>,
  recipients: Recipient[],
  work: (encrypted: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  return withPrivateHome(async (home) => {
    const child = await startGpg(home, encryptionArguments(await writeKeys(home, recipients)));
    const fed = feed(child, plain).then(
      () => undefined,
      (error: unknown) => error,
    );
    try {
      return await work(outputOf(child, fed));
    } finally {
      child.kill();
      await child.output.close();
      await fed;
      await child.done.catch(() => undefined);
    }
  });
}
