import { rejoin } from '../../lib/replication/rejoin.ts';
import { command, flag, option } from '../../lib/terminal/command.ts';
import { withPairSite } from '../../lib/terminal/pair.ts';
import { hostAndPort } from '../../lib/terminal/values.ts';

/** `ha rejoin`: makes a server whose pair went on without it the passive one. */
export default command({
  libraries: ['execa', 'ora', 'pg', 'writeFileAtomic'],
  options: {
    active: option(
      '--active <host>',
      'the active server, as HOST or HOST:PORT of its PostgreSQL (default: the one on record)',
      hostAndPort,
    ),
    acceptDataLoss: flag(
      '--accept-data-loss',
      'give up what was acknowledged by this server alone; its data are kept beside the new',
    ),
  },
  examples: ['ktadmin ha rejoin', 'ktadmin ha rejoin --active kts02.example.com'],
  run: ({ active, acceptDataLoss }, { settings, terminal }) =>
    withPairSite(settings, terminal, 'ha.rejoin', (site) => {
      const port = active?.port ?? settings.configuration.DB_PORT;
      const peer = active === undefined ? undefined : { host: active.host, port };
      return rejoin(site, peer, acceptDataLoss);
    }),
  async print({ active, epoch, how, discarded, former }, terminal) {
    await terminal.write(`passive: follows ${active}, epoch ${epoch}\n`);
    if (how === 'rewound')
      terminal.notice(
        `taken back: ${discarded} bytes of log that only this server had, and acknowledged to nobody`,
      );
    if (former !== null)
      terminal.notice(`what was here is kept in ${former}; ktadmin-ha(8) says how to look into it`);
    terminal.notice(`next, on ${active}: ktadmin ha sync on`);
  },
});
