import { failure } from '../core/errors.ts';
import { interruption } from '../core/interrupt.ts';
import type { Cluster } from './cluster.ts';
import { type RunningServer, stopAtOnce } from './server.ts';

/**
 * Stays until the server ends. When this program is told to end, the server is stopped first; that is the way a service
 * manager ends it, and so no failure.
 */
export async function waitForServer(cluster: Cluster, server: RunningServer | undefined): Promise<void> {
  if (server === undefined) {
    throw failure(
      'conflict',
      'the server was running already, so it cannot be kept in the foreground',
      `ktadmin db stop --pg-rootdir ${cluster.root}`,
    );
  }
  const stop = () => void stopAtOnce(server);
  interruption.addEventListener('abort', stop, { once: true });
  if (interruption.aborted) stop();
  try {
    const status = await server.wait();
    if (status === 0 || interruption.aborted) return;
    const how = status === null ? 'was killed' : `ended by itself (exit status ${status})`;
    throw failure('failed', `PostgreSQL ${how}`, `its log is in ${cluster.logDirectory}`);
  } finally {
    interruption.removeEventListener('abort', stop);
  }
}
