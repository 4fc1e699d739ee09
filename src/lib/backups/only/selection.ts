import { failure } from '../../core/errors.ts';
import { quote } from '../../core/quote.ts';
import type { Database } from '../../database/connection.ts';

/** What is to come out of a set: organizations by name with all that is theirs, and single deposits by uuid. */
export interface Selection {
  organizations: string[];
  deposits: string[];
}

/** How many names an error or a plan lists before it only counts. */
const LISTED = 10;

/** A list for a person: short, however long it is. */
export function listed(items: string[], separator = ', '): string {
  const more = items.length - LISTED;
  const shown = items.slice(0, LISTED);
  return (more > 0 ? [...shown, `and ${more} more`] : shown).join(separator);
}

async function missing(loaded: Database, column: string, wanted: string[]): Promise<string[]> {
  const { rows } = await loaded.query<{ wanted: string }>(
    `select wanted from unnest($1::text[]) as wanted where wanted not in (select ${column})`,
    [wanted],
  );
  return rows.map((row) => row.wanted);
}

async function organizationsIn(loaded: Database): Promise<string> {
  const { rows } = await loaded.query<{ name: string }>('select name from public.organization order by name');
  return rows.length === 0
    ? 'it has none'
    : `it has ${listed(rows.map(({ name }) => (name.length > 60 ? quote(name) : name)))}`;
}

/** Fails with status 5 where the set lacks something that was asked for. */
export async function checkSelection(loaded: Database, selection: Selection): Promise<void> {
  const organizations = await missing(loaded, 'name from public.organization', selection.organizations);
  if (organizations.length > 0) {
    const which = `no organization ${listed(organizations)}`;
    throw failure('notFound', `the set has ${which}`, await organizationsIn(loaded));
  }
  const deposits = await missing(loaded, 'uuid from public.deposit', selection.deposits);
  if (deposits.length > 0)
    throw failure('notFound', `the set has no deposit ${listed(deposits)}`, 'use an older or a newer set');
}
