import { failure, KeyTrusteeError } from '../../core/errors.ts';
import type { Cluster } from '../../database/cluster.ts';
import { migrate, migrateLoaded } from '../../database/migrations.ts';

function withReason(message: string, error: unknown, hint?: string): KeyTrusteeError {
  const reason = error instanceof Error ? error.message : String(error);
  const [code, help] =
    error instanceof KeyTrusteeError ? [error.code, error.hint] : ['failed' as const, hint];
  return failure(code, `${message}: ${reason}`, help, error);
}

/** Brings a database that was loaded from a set up to this version, before anything is exchanged for it. */
export async function bringUpLoaded(cluster: Cluster, name: string): Promise<void> {
  await migrateLoaded(cluster, name).catch((error: unknown) => {
    throw withReason('the tables of the set cannot be brought up to this version', error);
  });
}

/**
 * Brings the server's database up to this version after an exchange, and makes what PostgreSQL keeps beside it. What was
 * exchanged stays, whatever becomes of that; `done` says it.
 */
export async function bringUpPlaced(cluster: Cluster, done: string): Promise<void> {
  await migrate(cluster).catch((error: unknown) => {
    throw withReason(
      `${done}, but its database could not be brought up to this version`,
      error,
      'ktadmin db restart',
    );
  });
}
