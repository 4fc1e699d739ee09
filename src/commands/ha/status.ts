import { STATUS } from '../../lib/core/errors.ts';
import { pairStatus } from '../../lib/replication/status.ts';
import { command } from '../../lib/terminal/command.ts';
import { siteOf } from '../../lib/terminal/pair.ts';
import { pairLines } from '../../lib/terminal/pair-lines.ts';

/** `ha status`: the truth of the pair from both sides, and what to do next. */
export default command({
  libraries: ['pg'],
  options: {},
  examples: ['ktadmin ha status', 'ktadmin ha status --json'],
  async run(_values, { settings }) {
    const status = await pairStatus(siteOf(settings));
    // It could look at everything but this server, which is what it was asked about.
    if (status.servers[0]?.reachable !== true) process.exitCode = STATUS.unreachable;
    return status;
  },
  print: (status, terminal) => terminal.write(pairLines(status)),
});
