import { listOrganizations } from '../../lib/organizations/list.ts';
import { checkOrganizationName } from '../../lib/organizations/names.ts';
import { command, flag, option } from '../../lib/terminal/command.ts';
import { warnIfFenced, withServerDatabase } from '../../lib/terminal/database.ts';
import { objectPrinter } from '../../lib/terminal/json.ts';

/** `orgtool list`: the organizations as one JSON object, in the original's form. */
export default command({
  libraries: ['pg'],
  options: {
    name: option('-n, --name <name>', 'only this organization', checkOrganizationName),
    redact: flag('--redact', 'hide the authorization codes'),
  },
  examples: ['keytrustee-orgtool list', 'ktadmin orgtool list -n disaster-recov --redact'],
  async run({ name, redact }, { settings, terminal }) {
    await warnIfFenced(settings, terminal);
    const printer = objectPrinter(terminal);
    await withServerDatabase(settings, (database) =>
      listOrganizations(database, name, (organization) => {
        const shown =
          redact && organization.auth_secret !== ''
            ? { ...organization, auth_secret: '[redacted]' }
            : organization;
        return printer.member(organization.name, shown);
      }),
    );
    await printer.end();
  },
});
