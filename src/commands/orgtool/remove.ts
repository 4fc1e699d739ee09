import { failure } from '../../lib/core/errors.ts';
import { LOGGER } from '../../lib/organizations/add.ts';
import { countContents, removeOrganization } from '../../lib/organizations/change.ts';
import { checkOrganizationName } from '../../lib/organizations/names.ts';
import { withRecordedDatabase } from '../../lib/terminal/audit.ts';
import { command, flag, option } from '../../lib/terminal/command.ts';
import { withServerDatabase } from '../../lib/terminal/database.ts';
import { confirmByName } from '../../lib/terminal/prompts.ts';

/** `orgtool remove`: removes an organization that has no clients. */
export default command({
  libraries: ['pg', 'inquirer'],
  options: {
    name: option('-n, --name <name>', 'the organization', checkOrganizationName).required(),
    yes: flag('--yes', 'do not ask'),
  },
  examples: ['ktadmin orgtool remove -n disaster-recov --yes'],
  async run({ name, yes }, { settings, terminal }) {
    const { contacts } = await withServerDatabase(settings, (database) => countContents(database, name));
    const loss = `this removes ${name} with its authorization code and its contacts (${contacts})`;
    if (!yes && !(await confirmByName(terminal, loss, name))) throw failure('failed', 'not removed');
    await withRecordedDatabase(settings, (database, recorder) =>
      removeOrganization(database, name, recorder),
    );
    terminal.log(LOGGER, 'INFO', `Removed organization ${name}`);
    return { name, removed: true };
  },
});
