import type { Database } from '../../database/connection.ts';

/** How many of the rows that are wanted are missing here, and how many are here. */
export interface Counts {
  added: number;
  present: number;
}

/** What a partial restore will do. */
export interface OnlyPlan {
  organizations: Counts;
  contacts: Counts;
  clients: Counts;
  /** `undeleted`: here, deleted, and asked for by uuid. `deleted`: here and deleted since the set was made; stays so. */
  deposits: Counts & { undeleted: number; deleted: number };
  /** Names of the organizations that come back whole. */
  organizationsBack: string[];
  /** What comes back only because a deposit needs it: disabled, so that nobody is let in unnoticed. */
  disabled: { organizations: string[]; clients: string[] };
}

/**
 * What happens to each deposit. One that was deleted since stays so with its organization: its client meant it. Asked for
 * by its uuid it comes back.
 */
const PLANNED = `create temporary view planned_deposit as
  select wanted.*, case
      when present.uuid is null then 'add'
      when present.deleted_at is null then 'present'
      when wanted.named then 'undelete'
      when wanted.deleted_at is null then 'deleted'
      else 'present' end as action
  from pg_temp.wanted_deposit as wanted left join public.deposit as present on present.uuid = wanted.uuid`;

/** Makes the view by which deposits are planned and copied; it is gone with the connection. */
export async function preparePlan(live: Database): Promise<void> {
  await live.query(PLANNED);
}

const NO_ORGANIZATION = 'not exists (select from public.organization as o where o.uuid = wanted.uuid)';
const NO_CONTACT = `not exists (select from public.contact as c join public.organization as o on o.id = c.organization_id
  where o.uuid = wanted.organization and c.email = wanted.email)`;
const NO_CLIENT = 'not exists (select from public.client as c where c.fingerprint = wanted.fingerprint)';

/** Which rows of a temporary table are missing in the live one. */
export const MISSING = { organization: NO_ORGANIZATION, contact: NO_CONTACT, client: NO_CLIENT } as const;

async function count(live: Database, table: keyof typeof MISSING): Promise<Counts> {
  const { rows } = await live.query<{ added: number; present: number }>(
    `select count(*) filter (where ${MISSING[table]})::integer as added,
       count(*) filter (where not ${MISSING[table]})::integer as present from pg_temp.wanted_${table} as wanted`,
  );
  return rows[0] ?? { added: 0, present: 0 };
}

async function countDeposits(live: Database): Promise<OnlyPlan['deposits']> {
  const { rows } = await live.query<{ action: string; count: number }>(
    'select action, count(*)::integer as count from pg_temp.planned_deposit group by action',
  );
  const of = (action: string) => rows.find((row) => row.action === action)?.count ?? 0;
  return { added: of('add'), present: of('present'), undeleted: of('undelete'), deleted: of('deleted') };
}

async function names(live: Database, sql: string): Promise<string[]> {
  const { rows } = await live.query<{ name: string }>(`${sql} order by 1`);
  return rows.map(({ name }) => name);
}

/** Finds out what is missing here, and what is here already. */
export async function planOnly(live: Database): Promise<OnlyPlan> {
  const organizations = (whole: string) =>
    names(
      live,
      `select name from pg_temp.wanted_organization as wanted where ${whole} and ${MISSING.organization}`,
    );
  return {
    organizations: await count(live, 'organization'),
    contacts: await count(live, 'contact'),
    clients: await count(live, 'client'),
    deposits: await countDeposits(live),
    organizationsBack: await organizations('whole'),
    disabled: {
      organizations: await organizations('not whole'),
      clients: await names(
        live,
        `select fingerprint as name from pg_temp.wanted_client as wanted where not whole and ${MISSING.client}`,
      ),
    },
  };
}

/** Whether a plan changes anything. */
export function changesNothing({ organizations, contacts, clients, deposits }: OnlyPlan): boolean {
  return organizations.added + contacts.added + clients.added + deposits.added + deposits.undeleted === 0;
}
