import { failure } from '../../lib/core/errors.ts';
import { setSync } from '../../lib/replication/sync.ts';
import { command, flag } from '../../lib/terminal/command.ts';
import { withPairSite } from '../../lib/terminal/pair.ts';

function isOn([word, ...others]: string[]): boolean {
  if (others.length === 0 && (word === 'on' || word === 'off')) return word === 'on';
  throw failure('usage', 'ktadmin ha sync takes one word: on or off', 'ktadmin ha sync on');
}

/** `ha sync`: whether a change counts only once the passive server has applied it. */
export default command({
  libraries: ['pg', 'writeFileAtomic', 'ora'],
  options: {
    notPromoted: flag(
      '--not-promoted',
      'off: the passive server, which cannot be asked, has not been promoted',
    ),
  },
  words: '<on|off>',
  examples: ['ktadmin ha sync on', 'ktadmin ha sync off'],
  async run({ notPromoted }, { settings, terminal, args }) {
    const sync = isOn(args);
    return await withPairSite(settings, terminal, 'ha.sync', (site) => setSync(site, sync, notPromoted));
  },
  async print({ sync, passive, changed }, terminal) {
    const again = changed ? '' : ' (it was so already)';
    await terminal.write(
      sync
        ? `synchronous: a change counts once ${passive} has applied it${again}\n`
        : `not synchronous: changes count with this server alone${again}\n`,
    );
    if (!sync) terminal.warn('what is written now is lost with this server; ktadmin ha sync on ends that');
  },
});
