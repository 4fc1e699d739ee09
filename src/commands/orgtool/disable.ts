import { LOGGER } from '../../lib/organizations/add.ts';
import { setOrganizationState } from '../../lib/organizations/change.ts';
import { checkOrganizationName } from '../../lib/organizations/names.ts';
import { withRecordedDatabase } from '../../lib/terminal/audit.ts';
import { command, option } from '../../lib/terminal/command.ts';

/** `orgtool disable`: stops an organization and all its clients. */
export default command({
  libraries: ['pg'],
  options: { name: option('-n, --name <name>', 'the organization', checkOrganizationName).required() },
  examples: ['ktadmin orgtool disable -n disaster-recov'],
  async run({ name }, { settings, terminal }) {
    const changed = await withRecordedDatabase(settings, (database, recorder) =>
      setOrganizationState(database, name, 'disabled', recorder),
    );
    terminal.log(
      LOGGER,
      'INFO',
      changed ? `Organization ${name} is now disabled` : `Organization ${name} is disabled already`,
    );
    return { name, state: 'disabled', changed };
  },
});
