import { listQueue, type QueuedMail } from '../../lib/notices/waiting.ts';
import { command } from '../../lib/terminal/command.ts';
import { withServerDatabase } from '../../lib/terminal/database.ts';
import { table } from '../../lib/terminal/table.ts';

const HEAD = ['id', 'kind', 'state', 'to', 'organization', 'tries', 'next', 'last error'];

const row = ({ id, kind, state, to, organization, attempts, next, lastError }: QueuedMail) => [
  ...[id, kind, state, to ?? '-', organization ?? '-', String(attempts), next ?? '-', lastError ?? ''],
];

/** `mail queue`: the mails that have not been sent. */
export default command({
  libraries: ['pg'],
  options: {},
  examples: ['ktadmin mail queue', 'ktadmin mail queue --json'],
  run: (_values, { settings }) => withServerDatabase(settings, listQueue),
  async print(mails, terminal) {
    await terminal.write(table(HEAD, mails.map(row)));
    if (mails.length === 0) terminal.notice('no mail waits');
  },
});
