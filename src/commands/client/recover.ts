import { bareCommand } from '../../lib/terminal/command.ts';
import { reach, withClient } from '../../lib/terminal/machine.ts';

/** `client recover`: brings a deleted deposit back. */
export default bareCommand({
  words: '<uuid>',
  options: reach,
  examples: ['keytrustee recover 4Yc0mTzq9nJw2LxV7bKd1RgUe8HsPfAo6iQXtNBrM3E'],
  run: (values, { terminal, args }) =>
    withClient(values, terminal, (client) => client.recover(args[0] ?? '')),
  print: ({ id }, terminal) => terminal.write(`${id}\n`),
});
