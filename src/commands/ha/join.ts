import { join } from '../../lib/replication/join.ts';
import { command, flag, option } from '../../lib/terminal/command.ts';
import { withPairSite } from '../../lib/terminal/pair.ts';
import { hostAndPort } from '../../lib/terminal/values.ts';

/** `ha join`: makes this server the passive one of a pair. */
export default command({
  libraries: ['execa', 'ora', 'pg', 'writeFileAtomic'],
  options: {
    active: option(
      '--active <host>',
      'the active server, as HOST or HOST:PORT of its PostgreSQL',
      hostAndPort,
    ).required(),
    replaceData: flag('--replace-data', 'give up what this server has of its own; it is kept beside the new'),
  },
  examples: ['ktadmin ha join --active kts01.example.com'],
  run: ({ active, replaceData }, { settings, terminal }) =>
    withPairSite(settings, terminal, 'ha.join', (site) => {
      const peer = { host: active.host, port: active.port ?? settings.configuration.DB_PORT };
      return join(site, peer, replaceData);
    }),
  async print({ active, former }, terminal) {
    await terminal.write(`passive: follows ${active}\n`);
    if (former !== null) terminal.notice(`what was here is kept in ${former}`);
    terminal.notice(`next, on ${active}: ktadmin ha sync on`);
  },
});
