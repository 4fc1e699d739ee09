import { LOGGER } from '../../lib/organizations/add.ts';
import { removeContact } from '../../lib/organizations/change.ts';
import { checkEmail, checkOrganizationName } from '../../lib/organizations/names.ts';
import { withRecordedDatabase } from '../../lib/terminal/audit.ts';
import { command, option } from '../../lib/terminal/command.ts';

/** `orgtool remove-contact`: takes an administrator off an organization. */
export default command({
  libraries: ['pg'],
  options: {
    name: option('-n, --name <name>', 'the organization', checkOrganizationName).required(),
    contact: option('-c, --contact <email>', 'the administrator', checkEmail).required(),
  },
  examples: ['ktadmin orgtool remove-contact -n disaster-recov -c jake@example.com'],
  async run({ name, contact }, { settings, terminal }) {
    await withRecordedDatabase(settings, (database, recorder) =>
      removeContact(database, name, contact, recorder),
    );
    terminal.log(LOGGER, 'INFO', `Removed contact ${contact} from ${name}`);
    return { name, contact };
  },
});
