import { connect } from 'node:net';
import { errorCode } from '../core/errors.ts';
import type { Cluster } from '../database/cluster.ts';
import type { Database } from '../database/connection.ts';
import type { Peer } from '../database/replication/node.ts';
import { withPeer } from '../database/replication/peer.ts';

/** How long either port of the active server is waited for, and each answer; milliseconds. Both are asked at once. */
const LIMIT = 2000;

/**
 * What is found at a port: the active server itself, something that answers, a host that says that nothing listens there, or
 * silence, of which nobody knows what it means.
 */
type Found = 'active' | 'answers' | 'refused' | 'silent';

/** What is found of the active server. */
export interface Sight {
  postgres: Found;
  https: Found;
  /** Whether it says that this server has applied, and goes on to apply, each change before it counts. */
  isInStep: boolean;
}

const SILENCE = new Set([
  ...['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'],
]);

/** What a connection that failed tells of a port. */
export function foundBy(error: unknown): Found {
  const cause = (error as { cause?: unknown }).cause ?? error;
  const code = errorCode(cause) ?? '';
  if (code === 'ECONNREFUSED') return 'refused';
  const isLate = cause instanceof Error && /timeout/i.test(cause.message);
  return SILENCE.has(code) || isLate ? 'silent' : 'answers';
}

const QUERY = `
  select not pg_is_in_recovery() as active, (select system_identifier::text from pg_control_system()) as system,
    exists (select from pg_stat_replication
            where application_name = $1 and state = 'streaming' and sync_state = 'sync') as "isInStep"`;

/** This server: its name for PostgreSQL, and what its database has in common with the active one's. */
interface Own {
  id: string;
  systemIdentifier: string;
}

async function askPostgres(cluster: Cluster, peer: Peer, own: Own): Promise<Omit<Sight, 'https'>> {
  const ask = async (database: Database) => {
    const { rows } = await database.query<{ active: boolean; system: string; isInStep: boolean }>(QUERY, [
      own.id,
    ]);
    return rows[0];
  };
  try {
    const said = await withPeer(cluster, peer, ask, LIMIT);
    const isActive = said?.active === true && said.system === own.systemIdentifier;
    return { postgres: isActive ? 'active' : 'answers', isInStep: isActive && said.isInStep };
  } catch (error) {
    return { postgres: foundBy(error), isInStep: false };
  }
}

/** Whether somebody listens at a port. */
function knock(host: string, port: number): Promise<Found> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (found: Found) => {
      socket.destroy();
      resolve(found);
    };
    socket.setTimeout(LIMIT, () => end('silent'));
    socket.once('connect', () => end('answers'));
    socket.once('error', (error) => end(foundBy(error)));
  });
}

/** Looks at the active server: its PostgreSQL by TLS, and its HTTPS port where that is known, at the same time. */
export async function lookAtActive(
  cluster: Cluster,
  peer: Peer,
  httpsPort: number | undefined,
  own: Own,
): Promise<Sight> {
  const [postgres, https] = await Promise.all([
    askPostgres(cluster, peer, own),
    httpsPort === undefined ? ('refused' as const) : knock(peer.host, httpsPort),
  ]);
  return { ...postgres, https };
}
