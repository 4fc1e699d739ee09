import { bareCommand, option } from '../../lib/terminal/command.ts';
import { readContent } from '../../lib/terminal/content.ts';
import { reach, withClient } from '../../lib/terminal/machine.ts';
import { duration, integer } from '../../lib/terminal/values.ts';

/** `client put`: encrypts a file and stores it on the server. */
export default bareCommand({
  words: '[file]',
  options: {
    handle: option('--handle <handle>', 'a name for it, to fetch it by'),
    ttl: option('--ttl <time>', 'how long the server keeps it: seconds, or 15m, 12h, 30d', duration),
    retrievals: option('--retrievals <n>', 'how often it can be fetched', integer(1, 2_147_483_647)),
    ...reach,
  },
  examples: [
    'keytrustee put --handle disk-key /etc/keys/disk.key',
    'pass mail/token | keytrustee put --ttl 30d',
  ],
  async run({ handle, ttl, retrievals, ...values }, { terminal, args }) {
    const content = await readContent(args[0]);
    const how = {
      ...(handle === undefined ? {} : { handle }),
      ...(ttl === undefined ? {} : { ttl }),
      ...(retrievals === undefined ? {} : { retrievals }),
    };
    return withClient(values, terminal, (client) => client.put(content, how));
  },
  print: ({ id }, terminal) => terminal.write(`${id}\n`),
});
