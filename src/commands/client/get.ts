import { bareCommand, option } from '../../lib/terminal/command.ts';
import { fetchInto } from '../../lib/terminal/content.ts';
import { reach, withClient } from '../../lib/terminal/machine.ts';
import { path } from '../../lib/terminal/values.ts';

/** `client get`: fetches a deposit, decrypts and verifies it. */
export default bareCommand({
  words: '<name>',
  options: {
    output: option(
      '-o, --output <file>',
      'write it into a file, mode 0600, instead of standard output',
      path,
    ),
    ...reach,
  },
  examples: ['keytrustee get disk-key', 'keytrustee get disk-key -o /run/disk.key'],
  async run({ output, ...values }, { globals, terminal, args }) {
    const fetch = () => withClient(values, terminal, (client) => client.get(args[0] ?? ''));
    const { content, ...about } = await (output === undefined ? fetch() : fetchInto(output, fetch));
    if (output === undefined && !globals.json) await terminal.write(content);
    const text = Buffer.from(content).toString('base64');
    return { ...about, size: content.length, ...(output === undefined ? { content: text } : { output }) };
  },
});
