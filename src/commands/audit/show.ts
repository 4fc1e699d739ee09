import { showTrail } from '../../lib/audit/show.ts';
import { auditDirectory } from '../../lib/core/configuration.ts';
import { describeLine } from '../../lib/terminal/audit-lines.ts';
import { command, option } from '../../lib/terminal/command.ts';
import { integer, moment } from '../../lib/terminal/values.ts';

/** `audit show`: who did what, and when. */
export default command({
  libraries: [],
  options: {
    since: option('--since <time>', 'only what happened then or later', moment),
    until: option('--until <time>', 'only what happened before then', moment),
    event: option('--event <name>', 'only this event, or all of a kind: deposit, deposit.put'),
    who: option('--who <text>', 'only what somebody did whose name holds this'),
    last: option('--last <n>', 'only the last so many of them', integer(1, 1_000_000)),
  },
  examples: [
    'ktadmin audit show --since 1d --event client',
    'ktadmin audit show --who alice --last 20',
    'ktadmin audit show --since 2026-05-01 --until 2026-06-01 --json',
  ],
  async run({ last, ...wanted }, { settings, globals, terminal }) {
    const directory = auditDirectory(settings.confdir, settings.configuration);
    const skip = (place: string) => terminal.warn(`${place} is no line of the trail: ktadmin audit verify`);
    const describe: typeof describeLine = globals.json ? (line) => `${JSON.stringify(line)}\n` : describeLine;
    const kept: string[] = [];
    let count = 0;
    for await (const line of showTrail(directory, wanted, skip)) {
      if (last === undefined) await terminal.write(describe(line));
      else kept[count % last] = describe(line);
      count += 1;
    }
    const start = last === undefined ? 0 : count % last;
    const isFull = last !== undefined && count > last;
    for (const text of isFull ? [...kept.slice(start), ...kept.slice(0, start)] : kept)
      await terminal.write(text);
    if (count === 0) terminal.notice('nothing was recorded that fits');
  },
});
