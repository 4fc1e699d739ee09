import { randomSecret, randomToken } from '../core/random.ts';
import type { Reporter } from '../core/reporter.ts';
import { type Recorder, recordChange } from '../core/trail.ts';
import type { Database } from '../database/connection.ts';
import { withWriting } from '../database/gate.ts';
import { enqueueMail } from '../mail/queue.ts';

/** The name under which the original product logs what is done to organizations. */
export const LOGGER = 'keytrustee.server.orgtool';

/** What `add` did. */
export interface AddedOrganization {
  name: string;
  created: boolean;
  addedContacts: string[];
}

/**
 * Adds an organization with a random authorization code, or contacts to one that exists; a contact that is there already
 * is left alone, so that the call may be repeated.
 */
export async function addOrganization(
  database: Database,
  name: string,
  contacts: string[],
  reporter: Reporter,
  recorder: Recorder,
): Promise<AddedOrganization> {
  return withWriting(database, async () => {
    // The log line and the creation that `list` prints show one and the same moment, as the original's do.
    const now = new Date();
    const inserted = await database.query<{ id: string }>(
      `insert into public.organization (uuid, name, auth_secret, created_at) values ($1, $2, $3, $4)
       on conflict (name) do nothing returning id`,
      [randomToken(), name, randomSecret(), now],
    );
    const created = inserted.rowCount === 1;
    const added = await database.query<{ id: string; email: string }>(
      `insert into public.contact (organization_id, email)
       select organization.id, email from public.organization, unnest($2::text[]) with ordinality as given (email, position)
       where organization.name = $1 order by position
       on conflict (organization_id, email) do nothing returning id, email`,
      [name, contacts],
    );
    for (const { id } of added.rows) await enqueueMail(database, { kind: 'invitation', contactId: id });
    const addedContacts = added.rows.map((row) => row.email);
    if (created || addedContacts.length > 0) {
      const event = created ? 'organization.add' : 'contact.add';
      await recordChange(recorder, event, { organization: name, contacts: addedContacts.join(',') });
    }
    if (created) {
      reporter.log(LOGGER, 'INFO', 'Adding organization to database', now);
      reporter.log(LOGGER, 'INFO', 'Initializing random secret');
    } else {
      const news = addedContacts.join(', ') || 'none';
      reporter.log(LOGGER, 'INFO', `Organization exists, new contacts: ${news}`);
    }
    return { name, created, addedContacts };
  });
}
