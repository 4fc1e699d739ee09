import type { Account } from '../core/account.ts';
import { failure } from '../core/errors.ts';
import { run } from '../core/process.ts';

/** What stops the active server, and how long it may take. */
export interface FenceCommand {
  words: string[];
  seconds: number;
}

/**
 * Runs what stops the active server, without a shell, as the service account. What it prints goes to standard error as it comes. It counts only when it
 * ends with status 0 in time.
 */
export async function runFenceCommand({ words, seconds }: FenceCommand, account: Account): Promise<void> {
  const [file = '', ...args] = words;
  const limit = seconds * 1000;
  const started = performance.now();
  const ended = await run(file, args, {
    home: account.home,
    timeout: limit,
    whole: true,
    stdio: ['ignore', 2, 2],
  }).catch((error: unknown) => {
    if (performance.now() - started >= limit) return undefined;
    throw error;
  });
  if (ended?.status === 0) return;
  const isLate = ended === undefined || (ended.status === null && performance.now() - started >= limit);
  const how = ended?.status === null ? `signal ${ended.signal}` : `exit status ${ended?.status}`;
  throw failure(
    'failed',
    isLate ? `${file} did not end within ${seconds} s` : `${file} failed (${how})`,
    `it was run as the account ${account.name}, which has ssh keys and known_hosts of its own; nothing was promoted: the active server may still run. Stop it, and say so by --i-have-stopped-the-active`,
  );
}
