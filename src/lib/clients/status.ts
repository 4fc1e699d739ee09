import type { DatabasePool } from '../database/pool.ts';
import { checkStanding, STANDING, type Standing } from '../database/standing.ts';
import type { ClientState } from './client.ts';

/** What a client is told of itself. Times are UTC. */
export interface ClientStatus {
  fingerprint: string;
  organization: string;
  name: string;
  state: ClientState;
  created: Date;
  activated: Date | null;
}

const QUERY = `
  select fingerprint, organization.name as organization, client.name, client.state, client.created_at as created,
         activated_at as activated, ${STANDING} as standing
  from public.client join public.organization on organization.id = organization_id
  where fingerprint = $1`;

/** Fetches how a client is registered; one that may not be served is refused. */
export async function clientStatus(pool: DatabasePool, fingerprint: string): Promise<ClientStatus> {
  const { rows } = await pool.query<ClientStatus & { standing: Standing }>(QUERY, [fingerprint]);
  const [row] = rows;
  checkStanding(row);
  const { standing: _, ...status } = row;
  return status;
}
