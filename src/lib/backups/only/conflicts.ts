import { failure } from '../../core/errors.ts';
import { quote } from '../../core/quote.ts';
import type { Database } from '../../database/connection.ts';
import { listed } from './selection.ts';

interface Conflict {
  subject: string;
  other: string;
  handle: string | null;
}

/** A way in which the set and the live database can contradict each other, and how it is told. */
interface Contradiction {
  sql: string;
  tell(conflict: Conflict): string;
}

/** Deposits that will be live: their handles must be free. */
const REVIVED = `(select * from pg_temp.planned_deposit where action in ('add', 'undelete') and deleted_at is null)`;

const CONTRADICTIONS: Contradiction[] = [
  {
    sql: `select w.name as subject, o.uuid as other, null as handle from pg_temp.wanted_organization as w
      join public.organization as o on o.name = w.name where o.uuid <> w.uuid`,
    tell: ({ subject }) => `organization ${subject} is another one now: it has another uuid than in the set`,
  },
  {
    sql: `select w.name as subject, o.name as other, null as handle from pg_temp.wanted_organization as w
      join public.organization as o on o.uuid = w.uuid where o.name <> w.name`,
    tell: ({ subject, other }) => `organization ${subject} is called ${other} now`,
  },
  {
    sql: `select w.fingerprint as subject, o.name as other, null as handle from pg_temp.wanted_client as w
      join public.client as c on c.fingerprint = w.fingerprint join public.organization as o on o.id = c.organization_id
      where o.uuid <> w.organization`,
    tell: ({ subject, other }) => `client ${subject} belongs to organization ${other} now`,
  },
  {
    sql: `select w.uuid as subject, c.fingerprint as other, null as handle from pg_temp.wanted_deposit as w
      join public.deposit as d on d.uuid = w.uuid join public.client as c on c.id = d.client_id where c.fingerprint <> w.client`,
    tell: ({ subject, other }) => `deposit ${subject} belongs to client ${other} now`,
  },
  {
    sql: `select w.uuid as subject, '' as other, null as handle from pg_temp.wanted_deposit as w
      join public.deposit as d on d.uuid = w.uuid where sha256(d.content) <> w.sha256`,
    tell: ({ subject }) => `deposit ${subject} has other content now`,
  },
  {
    sql: `select w.uuid as subject, d.uuid as other, w.handle from ${REVIVED} as w
      join public.client as c on c.fingerprint = w.client
      join public.deposit as d on d.client_id = c.id and d.handle = w.handle and d.deleted_at is null
      where d.uuid <> w.uuid`,
    tell: ({ subject, other, handle }) =>
      `the handle ${quote(handle ?? '')} of deposit ${subject} is taken by deposit ${other} now`,
  },
  {
    sql: `select w.uuid as subject, v.uuid as other, w.handle from ${REVIVED} as w
      join ${REVIVED} as v on v.client = w.client and v.handle = w.handle and v.uuid > w.uuid`,
    tell: ({ subject, other, handle }) =>
      `deposits ${subject} and ${other} have the same handle ${quote(handle ?? '')}: only one of them can come back`,
  },
];

/** Fails with status 6 where something that is here contradicts the set: nothing is ever overwritten. */
export async function checkConflicts(live: Database): Promise<void> {
  const found: string[] = [];
  for (const { sql, tell } of CONTRADICTIONS) {
    const { rows } = await live.query<Conflict>(`${sql} order by 1, 2`);
    found.push(...rows.map(tell));
  }
  if (found.length === 0) return;
  throw failure(
    'conflict',
    `nothing was changed: ${listed(found, '; ')}`,
    'what is there now is never overwritten; --only deposit=UUID brings back single deposits that do not collide',
  );
}
