import { type Databases, queryAnywhere, refuseMakeshift } from '../database/anywhere.ts';
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
export async function clientStatus(databases: Databases, fingerprint: string): Promise<ClientStatus> {
  const statement = { name: 'client-status', text: QUERY, values: [fingerprint] };
  const answer = await queryAnywhere<ClientStatus & { standing: Standing }>(databases, statement);
  const [row] = answer.rows;
  if (row === undefined) refuseMakeshift(answer);
  checkStanding(row);
  const { standing: _, ...status } = row;
  return status;
}
