import { failure } from '../core/errors.ts';
import { localTime } from '../core/time.ts';
import { cursor, type Database, withTransaction } from '../database/connection.ts';

/** An organization as the original `keytrustee-orgtool list` prints it. Times are local, without a zone. */
export interface ListedOrganization {
  auth_secret: string;
  contacts: string[];
  creation: string;
  expiration: string;
  key_info: null;
  name: string;
  state: number;
  uuid: string;
}

/** How the original writes "never": the last second of the year 9999 in UTC, printed in local time. */
const NEVER = new Date('9999-12-31T23:59:59Z');
const LAST = '9999-12-31T23:59:59';

function expiration(expires: Date | null): string {
  const text = localTime(expires ?? NEVER);
  // East of Greenwich the last second would fall into the year 10000, which no reader of the format takes.
  return text.length > LAST.length ? LAST : text;
}

const LIST = `
  select name, uuid, auth_secret, state, created_at, expires_at,
         array(select email from public.contact where organization_id = organization.id order by contact.id) as contacts
  from public.organization
  where $1::text is null or name = $1
  order by name`;

interface Row {
  name: string;
  uuid: string;
  auth_secret: string;
  state: number;
  created_at: Date;
  expires_at: Date | null;
  contacts: string[];
}

/**
 * Hands every organization, sorted by name, to `take`, one at a time: there may be more of them than fit into memory.
 * With a name, only that one, and its absence is an error.
 */
export async function listOrganizations(
  database: Database,
  name: string | undefined,
  take: (organization: ListedOrganization) => Promise<void>,
): Promise<void> {
  await withTransaction(database, async () => {
    let count = 0;
    for await (const row of cursor<Row>(database, LIST, [name ?? null])) {
      count += 1;
      await take({
        auth_secret: row.auth_secret,
        contacts: row.contacts,
        creation: localTime(row.created_at),
        expiration: expiration(row.expires_at),
        key_info: null,
        name: row.name,
        state: row.state,
        uuid: row.uuid,
      });
    }
    if (name !== undefined && count === 0) throw unknownOrganization(name);
  });
}

/** The error of a name that no organization has. */
export function unknownOrganization(name: string): Error {
  return failure(
    'notFound',
    `there is no organization ${name}`,
    'ktadmin orgtool list shows those that exist',
  );
}
