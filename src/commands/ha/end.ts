import { endPair } from '../../lib/replication/end.ts';
import { command, flag } from '../../lib/terminal/command.ts';
import { withPairSite } from '../../lib/terminal/pair.ts';

/** `ha end`: the passive server is given up for good. */
export default command({
  libraries: ['pg', 'writeFileAtomic', 'ora'],
  options: {
    notPromoted: flag('--not-promoted', 'the passive server, which cannot be asked, has not been promoted'),
  },
  examples: ['ktadmin ha end'],
  run: ({ notPromoted }, { settings, terminal }) =>
    withPairSite(settings, terminal, 'ha.end', (site) => endPair(site, notPromoted)),
  async print({ former }, terminal) {
    await terminal.write(`alone: ${former === null ? 'no other server' : `${former} is given up`}\n`);
  },
});
