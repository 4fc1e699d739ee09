import { LOGGER } from '../../lib/organizations/add.ts';
import { setOrganizationState } from '../../lib/organizations/change.ts';
import { checkOrganizationName } from '../../lib/organizations/names.ts';
import { withRecordedDatabase } from '../../lib/terminal/audit.ts';
import { command, option } from '../../lib/terminal/command.ts';

/** `orgtool enable`: lets the clients of an organization in again. */
export default command({
  libraries: ['pg'],
  options: { name: option('-n, --name <name>', 'the organization', checkOrganizationName).required() },
  examples: ['ktadmin orgtool enable -n disaster-recov'],
  async run({ name }, { settings, terminal }) {
    const changed = await withRecordedDatabase(settings, (database, recorder) =>
      setOrganizationState(database, name, 'enabled', recorder),
    );
    terminal.log(
      LOGGER,
      'INFO',
      changed ? `Organization ${name} is now enabled` : `Organization ${name} is enabled already`,
    );
    return { name, state: 'enabled', changed };
  },
});
