import { bareCommand, flag } from '../../lib/terminal/command.ts';
import { reach, withClient } from '../../lib/terminal/machine.ts';
import { table } from '../../lib/terminal/table.ts';

/** `client list`: what this client keeps on the server. */
export default bareCommand({
  options: { deleted: flag('--deleted', 'what was deleted and can be recovered'), ...reach },
  examples: ['keytrustee list', 'keytrustee list --deleted --json'],
  run: ({ deleted, ...values }, { terminal }) =>
    withClient(values, terminal, (client) => client.list({ deleted })),
  async print(deposits, terminal) {
    const rows = deposits.map(({ id, created, expires, retrievalsLeft, handle }) => [
      ...[id, created, expires ?? '-', String(retrievalsLeft ?? '-')],
      handle ?? '-',
    ]);
    await terminal.write(table(['id', 'created', 'expires', 'retrievals', 'handle'], rows));
    if (deposits.length === 0) terminal.notice('no deposits');
  },
});
