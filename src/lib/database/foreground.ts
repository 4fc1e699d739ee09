import type { Account } from '../core/account.ts';
import { failure } from '../core/errors.ts';
import { interruption } from '../core/interrupt.ts';
import type { Cluster } from './cluster.ts';
import { type RunningServer, stopServer } from './server.ts';

/** Stays until the server ends; when this program is told to end, the server is stopped first. */
export async function waitForServer(
  cluster: Cluster,
  account: Account,
  server: RunningServer | undefined,
): Promise<void> {
  if (server === undefined) {
    throw failure(
      'conflict',
      'the server was running already, so it cannot be kept in the foreground',
      'ktadmin db stop',
    );
  }
  const stop = () => void stopServer(cluster, account).catch(() => process.kill(server.pid, 'SIGINT'));
  interruption.addEventListener('abort', stop, { once: true });
  // A detached child does not keep this process alive by itself.
  const keepAlive = setInterval(() => undefined, 60_000);
  try {
    const status = await server.exited;
    if (status !== 0 && !interruption.aborted)
      throw failure(
        'failed',
        `PostgreSQL ended by itself (exit status ${status})`,
        `its log is in ${cluster.logDirectory}`,
      );
  } finally {
    clearInterval(keepAlive);
    interruption.removeEventListener('abort', stop);
  }
}
