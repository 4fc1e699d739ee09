import { STATUS } from '../../lib/core/errors.ts';
import { bareCommand } from '../../lib/terminal/command.ts';
import { reach, withClient } from '../../lib/terminal/machine.ts';

/** `client status`: what the server says of this client. */
export default bareCommand({
  options: reach,
  examples: ['keytrustee status --json'],
  async run(values, { terminal }) {
    const status = await withClient(values, terminal, (client) => client.status());
    // Scripts ask by the exit status, which is that of any other command while the state lasts.
    if (status.state === 'pending') process.exitCode = STATUS.state;
    if (status.state === 'disabled') process.exitCode = STATUS.permission;
    return status;
  },
  async print(status, terminal) {
    const { fingerprint, server, organization, name, state } = status;
    const lines = Object.entries({ fingerprint, server, organization, name, state });
    await terminal.write(lines.map(([term, value]) => `${term.padEnd(14)}${value}\n`).join(''));
  },
});
