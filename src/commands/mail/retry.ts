import { retryGivenUp } from '../../lib/notices/waiting.ts';
import { command } from '../../lib/terminal/command.ts';
import { withServerDatabase } from '../../lib/terminal/database.ts';

/** `mail retry`: has the mails that were given up tried again. */
export default command({
  libraries: ['pg'],
  options: {},
  examples: ['ktadmin mail retry'],
  run: async (_values, { settings }) => ({ retried: await withServerDatabase(settings, retryGivenUp) }),
  print: ({ retried }, terminal) =>
    terminal.notice(`${retried} given up ${retried === 1 ? 'mail is' : 'mails are'} tried again`),
});
