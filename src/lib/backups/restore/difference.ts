import { type Cluster, DATABASE } from '../../database/cluster.ts';
import { type Database, withDatabase } from '../../database/connection.ts';
import { countRows } from '../../database/dump.ts';
import { withConnectionsAllowed } from './exchange.ts';

/** What going back from the present database to an earlier one loses or revives (hazard PG-21), beyond numbers of rows. */
export interface Difference {
  rowsNow: Record<string, number>;
  rowsThen: Record<string, number>;
  /** By name. */
  organizations: { gone: string[]; back: string[]; enabledAgain: string[]; otherCode: string[] };
  /** By fingerprint. */
  clients: { gone: string[]; back: string[]; enabledAgain: string[] };
}

interface Content {
  rows: Record<string, number>;
  organizations: Map<string, { disabled: boolean; code: string }>;
  clients: Map<string, boolean>;
}

async function read(database: Database): Promise<Content> {
  const organizations = await database.query<{ name: string; disabled: boolean; code: string }>(
    `select name, state = 1 as disabled, encode(sha256(convert_to(auth_secret, 'UTF8')), 'hex') as code
       from public.organization order by name`,
  );
  const clients = await database.query<{ fingerprint: string; disabled: boolean }>(
    "select fingerprint, state = 'disabled' as disabled from public.client order by fingerprint",
  );
  return {
    rows: await countRows(database),
    organizations: new Map(organizations.rows.map(({ name, ...rest }) => [name, rest])),
    clients: new Map(clients.rows.map(({ fingerprint, disabled }) => [fingerprint, disabled])),
  };
}

function only<Value>(all: Map<string, Value>, other: Map<string, Value>): string[] {
  return [...all.keys()].filter((key) => !other.has(key));
}

function between(now: Content, then: Content): Difference {
  const both = [...now.organizations].flatMap(([name, present]) => {
    const former = then.organizations.get(name);
    return former === undefined ? [] : [{ name, present, former }];
  });
  return {
    rowsNow: now.rows,
    rowsThen: then.rows,
    organizations: {
      gone: only(now.organizations, then.organizations),
      back: only(then.organizations, now.organizations),
      enabledAgain: both
        .filter(({ present, former }) => present.disabled && !former.disabled)
        .map(({ name }) => name),
      otherCode: both.filter(({ present, former }) => present.code !== former.code).map(({ name }) => name),
    },
    clients: {
      gone: only(now.clients, then.clients),
      back: only(then.clients, now.clients),
      enabledAgain: [...now.clients]
        .filter(([fingerprint, disabled]) => disabled && then.clients.get(fingerprint) === false)
        .map(([fingerprint]) => fingerprint),
    },
  };
}

/**
 * Compares the server's database with the one that is to take its place. Undefined where there is none, or where its
 * tables cannot be read: that is no obstacle to a restore.
 */
export async function compareDatabases(cluster: Cluster, other: string): Promise<Difference | undefined> {
  const then = await withConnectionsAllowed(cluster, other, () => withDatabase(cluster, read, other)).catch(
    () => undefined,
  );
  if (then === undefined) return undefined;
  const now = await withDatabase(cluster, read, DATABASE).catch(() => undefined);
  return now === undefined ? undefined : between(now, then);
}

/** Whether anything is lost or revived that numbers of rows do not tell. */
export function isQuiet({ organizations, clients }: Difference): boolean {
  return [...Object.values(organizations), ...Object.values(clients)].every((names) => names.length === 0);
}
