import { bareCommand } from '../../lib/terminal/command.ts';
import { reach, withClient } from '../../lib/terminal/machine.ts';

/** `client delete`: deletes a deposit. */
export default bareCommand({
  words: '<name>',
  options: reach,
  examples: ['keytrustee delete disk-key'],
  async run(values, { terminal, args }) {
    const name = args[0] ?? '';
    await withClient(values, terminal, (client) => client.delete(name));
    return { deleted: name };
  },
  print: (_result, terminal) =>
    terminal.notice('deleted; keytrustee list --deleted shows what can be recovered'),
});
