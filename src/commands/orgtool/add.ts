import { addOrganization } from '../../lib/organizations/add.ts';
import { checkContacts, checkOrganizationName } from '../../lib/organizations/names.ts';
import { withRecordedDatabase } from '../../lib/terminal/audit.ts';
import { command, option } from '../../lib/terminal/command.ts';

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
    withRecordedDatabase(settings, (database, recorder) =>
      addOrganization(database, name, contacts, terminal, recorder),
    ),
});
