import { CLIENT_STATES, listClients } from '../../lib/clients/client.ts';
import { checkOrganizationName } from '../../lib/organizations/names.ts';
import { command, option } from '../../lib/terminal/command.ts';
import { warnIfFenced, withServerDatabase } from '../../lib/terminal/database.ts';
import { table } from '../../lib/terminal/table.ts';
import { oneOf } from '../../lib/terminal/values.ts';

/** `orgtool list-clients`: the machines that keep keys here, and whether they may. */
export default command({
  libraries: ['pg'],
  options: {
    name: option('-n, --name <name>', 'only the clients of this organization', checkOrganizationName),
    state: option(
      '--state <state>',
      'only clients that are pending, active or disabled',
      oneOf(CLIENT_STATES),
    ),
  },
  examples: ['ktadmin orgtool list-clients', 'ktadmin orgtool list-clients -n prod --state pending --json'],
  async run({ name, state }, { settings, terminal }) {
    await warnIfFenced(settings, terminal);
    return withServerDatabase(settings, (database) => listClients(database, name, state));
  },
  async print(clients, terminal) {
    const rows = clients.map((client) => [
      client.organization,
      client.fingerprint,
      client.state,
      client.created,
      client.name,
    ]);
    await terminal.write(table(['organization', 'fingerprint', 'state', 'created', 'name'], rows));
    if (clients.length === 0) terminal.notice('no clients');
  },
});
