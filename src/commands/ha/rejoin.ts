import { rejoin } from '../../lib/replication/rejoin.ts';
import { command, option } from '../../lib/terminal/command.ts';
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
  },
  examples: ['ktadmin ha rejoin', 'ktadmin ha rejoin --active kts02.example.com'],
  run: ({ active }, { settings, terminal }) =>
    withPairSite(settings, terminal, 'ha.rejoin', (site) => {
      const port = active?.port ?? settings.configuration.DB_PORT;
      return rejoin(site, active === undefined ? undefined : { host: active.host, port });
    }),
  async print({ active, epoch, how, discarded, former }, terminal) {
    await terminal.write(`passive: follows ${active}, epoch ${epoch}\n`);
    if (how === 'rewound')
      terminal.notice(
        `taken back: ${discarded} bytes of log that only this server had, and acknowledged to nobody`,
      );
    if (former !== null) terminal.notice(`what was here is kept in ${former}`);
    terminal.notice(`next, on ${active}: ktadmin ha sync on`);
  },
});
