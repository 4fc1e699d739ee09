import { counted } from '../core/counted.ts';
import { failure } from '../core/errors.ts';
import { type Recorder, recordChange } from '../core/trail.ts';
import type { Database } from '../database/connection.ts';
import { withWriting } from '../database/gate.ts';
import { unknownOrganization } from './list.ts';

/** Sets an organization's authorization code; an empty one lets clients in without a code. */
export async function setAuthorization(
  database: Database,
  name: string,
  secret: string,
  recorder: Recorder,
): Promise<void> {
  await withWriting(database, async () => {
    const { rowCount } = await database.query(
      'update public.organization set auth_secret = $2 where name = $1',
      [name, secret],
    );
    if (rowCount !== 1) throw unknownOrganization(name);
    await recordChange(recorder, 'organization.set-auth', {
      organization: name,
      automaticApproval: secret === '',
    });
  });
}

/** `state` as the original prints it: 0 is what every organization starts with. */
const STATE = { enabled: 0, disabled: 1 } as const;

/** Enables or disables an organization. Returns whether that changed anything. */
export async function setOrganizationState(
  database: Database,
  name: string,
  state: keyof typeof STATE,
  recorder: Recorder,
): Promise<boolean> {
  return withWriting(database, async () => {
    const { rows } = await database.query<{ state: number }>(
      'select state from public.organization where name = $1 for update',
      [name],
    );
    const [current] = rows;
    if (current === undefined) throw unknownOrganization(name);
    if (current.state === STATE[state]) return false;
    await database.query('update public.organization set state = $2 where name = $1', [name, STATE[state]]);
    const event = state === 'enabled' ? 'organization.enable' : 'organization.disable';
    await recordChange(recorder, event, { organization: name });
    return true;
  });
}

/** Removes a contact from an organization. */
export async function removeContact(
  database: Database,
  name: string,
  email: string,
  recorder: Recorder,
): Promise<void> {
  await withWriting(database, async () => {
    const organization = await database.query<{ id: string }>(
      'select id from public.organization where name = $1 for update',
      [name],
    );
    const id = organization.rows[0]?.id;
    if (id === undefined) throw unknownOrganization(name);
    const { rowCount } = await database.query(
      'delete from public.contact where organization_id = $1 and email = $2',
      [id, email],
    );
    if (rowCount !== 1)
      throw failure('notFound', `${email} is not a contact of ${name}`, `ktadmin orgtool list -n ${name}`);
    await recordChange(recorder, 'contact.remove', { organization: name, contact: email });
  });
}

/** What hangs on an organization. */
export interface OrganizationContents {
  contacts: number;
  clients: number;
  deposits: number;
}

/** Counts what would be lost with an organization. */
export async function countContents(database: Database, name: string): Promise<OrganizationContents> {
  const { rows } = await database.query<Record<keyof OrganizationContents, string>>(
    `select (select count(*) from public.contact where organization_id = organization.id) as contacts,
            (select count(*) from public.client where organization_id = organization.id) as clients,
            (select count(*) from public.deposit join public.client on client.id = client_id
             where organization_id = organization.id) as deposits
     from public.organization where name = $1`,
    [name],
  );
  const [row] = rows;
  if (row === undefined) throw unknownOrganization(name);
  return { contacts: Number(row.contacts), clients: Number(row.clients), deposits: Number(row.deposits) };
}

/** Removes an organization and its contacts. One that has clients is refused: their keys would be lost with it. */
export async function removeOrganization(
  database: Database,
  name: string,
  recorder: Recorder,
): Promise<OrganizationContents> {
  return withWriting(database, async () => {
    await database.query('select from public.organization where name = $1 for update', [name]);
    const contents = await countContents(database, name);
    if (contents.clients > 0) {
      throw failure(
        'conflict',
        `${name} has ${counted(contents.clients, 'client')} with ${counted(contents.deposits, 'deposit')}`,
        `ktadmin orgtool disable -n ${name} stops it and keeps the keys`,
      );
    }
    await database.query('delete from public.organization where name = $1', [name]);
    await recordChange(recorder, 'organization.remove', { organization: name, contacts: contents.contacts });
    return contents;
  });
}
