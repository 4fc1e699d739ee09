import { addOrganization } from '../../lib/organizations/add.ts';
import { checkContacts, checkOrganizationName } from '../../lib/organizations/names.ts';
import { command, option } from '../../lib/terminal/command.ts';
import { withServerDatabase } from '../../lib/terminal/database.ts';

/** `orgtool add`: adds an organization, or contacts to one that exists. */
export default command({
  libraries: ['pg'],
  options: {
    name: option(
      '-n, --name <name>',
      'letters, digits, hyphens and underscores',
      checkOrganizationName,
    ).required(),
    contacts: option(
      '-c, --contacts <emails>',
      'administrators, separated by commas',
      checkContacts,
    ).required(),
  },
  examples: ['keytrustee-orgtool add -n disaster-recov -c finn@example.com,jake@example.com'],
  run: ({ name, contacts }, { settings, terminal }) =>
    withServerDatabase(settings, (database) => addOrganization(database, name, contacts, terminal)),
});
