import { Refusal } from '../core/refusal.ts';
import { FENCED, SET_ASIDE } from './writable.ts';

/** Why a client is not served, or null where it is. */
export type Standing = 'fenced' | 'client_pending' | 'client_disabled' | 'organization_disabled' | null;

/**
 * The SQL of a client's standing, for every query that fetches something for a client: `select ${STANDING} as standing`
 * from `client` joined with its `organization`. So one query tells both, and a client that was stopped is refused at its
 * very next request, and nobody is served by a server whose pair went on without it, or from a database that was set aside.
 */
export const STANDING = `
  case when ${SET_ASIDE} or ${FENCED} then 'fenced' when client.state <> 'active' then 'client_' || client.state
       when organization.state <> 0 or organization.expires_at <= now() then 'organization_disabled' end`;

/** Refuses a client that may not be served; one that has no row, because it was removed, counts as unknown. */
export function checkStanding<Row extends { standing: Standing }>(
  row: Row | undefined,
): asserts row is Row & { standing: null } {
  if (row === undefined) throw new Refusal('unauthenticated');
  if (row.standing !== null) throw new Refusal(row.standing);
}
