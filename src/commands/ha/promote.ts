import { failure } from '../../lib/core/errors.ts';
import { splitWords } from '../../lib/core/words.ts';
import { promote } from '../../lib/replication/promote.ts';
import { command, flag, option } from '../../lib/terminal/command.ts';
import { withPairSite } from '../../lib/terminal/pair.ts';
import { integer } from '../../lib/terminal/values.ts';

function commandWords(line: string): string[] {
  const words = splitWords(line);
  if (words.length > 0) return words;
  throw failure(
    'usage',
    '--fence-command is empty',
    "--fence-command 'ssh kts01.example.com ktadmin db stop'",
  );
}

/** `ha promote`: makes the passive server the active one. */
export default command({
  libraries: ['execa', 'ora', 'pg', 'writeFileAtomic'],
  options: {
    fenceCommand: option('--fence-command <command>', 'what stops the active server; run without a shell'),
    fenceSeconds: option('--fence-seconds <n>', 'how long that may take', integer(1, 3600)).default(30),
    iHaveStoppedTheActive: flag('--i-have-stopped-the-active', 'it is off for certain, and stays off'),
    syncWasOn: flag('--sync-was-on', 'the active server did not go on alone while this one was away'),
    acceptDataLoss: flag('--accept-data-loss', 'go on although the active server may have taken more'),
  },
  examples: [
    'ktadmin ha promote',
    "ktadmin ha promote --fence-command 'ssh kts01.example.com ktadmin db stop'",
    'ktadmin ha promote --i-have-stopped-the-active',
  ],
  run(values, { settings, terminal }) {
    const { fenceCommand, fenceSeconds: seconds } = values;
    const fence = fenceCommand === undefined ? undefined : { words: commandWords(fenceCommand), seconds };
    const { iHaveStoppedTheActive: isStopped, syncWasOn: isSyncOn, acceptDataLoss: acceptLoss } = values;
    const wish = { fence, isStopped, isSyncOn, acceptLoss };
    return withPairSite(settings, terminal, 'ha.promote', (site) => promote(site, wish));
  },
  async print({ epoch, former, confirmed }, terminal) {
    await terminal.write(`active: this server, since epoch ${epoch}\n`);
    if (!confirmed)
      terminal.notice(
        `not known here: whether ktadmin ha sync off was run on ${former ?? 'the other server'}; what it acknowledged after that is not here`,
      );
    const next = `on ${former ?? 'the other server'}: ktadmin ha rejoin; then here: ktadmin ha sync on`;
    terminal.warn(`it goes on alone: what is written now is on no other server\nktadmin: hint: ${next}`);
  },
});
