import { dirname } from 'node:path';
import { listSets } from '../../lib/backups/list.ts';
import { placeOf } from '../../lib/backups/survey.ts';
import { describeSets, worryAbout } from '../../lib/terminal/backup-list.ts';
import { command, flag, option } from '../../lib/terminal/command.ts';
import { path } from '../../lib/terminal/values.ts';

/** `backup list`: the sets of this server, and what is known of each. */
export default command({
  shortConfdir: true,
  libraries: ['execa', 'writeFileAtomic', 'ora', 'tar'],
  options: {
    output: option('--output <dir>', 'where the sets are (default: beside the configuration)', path),
    check: flag('--check', 'read each set whole and compare it with what the server signed'),
  },
  examples: [
    'ktadmin backup list --output /var/backups/keytrustee',
    'ktbackup list --output=/var/backups/keytrustee --check --json',
  ],
  async run({ output, check }, { settings, terminal }) {
    const sets = await listSets(placeOf(settings, output ?? dirname(settings.confdir)), check, terminal);
    const worry = worryAbout(sets);
    if (worry !== undefined) terminal.warn(worry);
    return sets;
  },
  async print(sets, terminal) {
    await terminal.write(describeSets(sets));
    if (sets.length === 0) terminal.notice('no sets');
  },
});
