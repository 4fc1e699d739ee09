import { once } from 'node:events';

let watched = false;
let readerGone = false;

/**
 * Must be called before anything is printed; called again, it does nothing. A reader such as `head -1` that ends early is no error of ours; a full disk under a redirected
 * stdout is one.
 */
export function watchOutput(): void {
  if (watched) return;
  watched = true;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    const isFirst = !readerGone;
    readerGone = true;
    if (error.code === 'EPIPE' || !isFirst) return;
    process.exitCode = 1;
    const reason = error.code === 'ENOSPC' ? 'no space left on device' : error.message;
    process.stderr.write(`ktadmin: error: standard output: ${reason}\n`);
  });
  process.stderr.on('error', () => undefined);
}

/** Whether the reader of stdout has gone away, so that producing more is of no use. */
export function isReaderGone(): boolean {
  return readerGone;
}

/** Writes data to stdout; waits where the reader is slow, and no longer than there is one. */
export async function write(data: string | Uint8Array): Promise<void> {
  if (readerGone || process.stdout.write(data)) return;
  await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]).catch(() => undefined);
}
