import { dirname } from 'node:path';
import { INTERVAL_NAMES } from '../../lib/backups/schedule/intervals.ts';
import { lookUp } from '../../lib/backups/schedule/rehearse.ts';
import {
  applySchedule,
  nextSteps,
  planRemoval,
  planSchedule,
  type ScheduleRequest,
} from '../../lib/backups/schedule/schedule.ts';
import { isRoot } from '../../lib/core/account.ts';
import { failure } from '../../lib/core/errors.ts';
import { ownerOf } from '../../lib/core/ownership.ts';
import { keyringOf } from '../../lib/gpg/keyring.ts';
import { bareCommand, flag, type OptionValues, option } from '../../lib/terminal/command.ts';
import { confirm } from '../../lib/terminal/prompts.ts';
import { describeFiles, describeSchedule, ownWords } from '../../lib/terminal/schedule.ts';
import { sudoLine } from '../../lib/terminal/sudo.ts';
import { integer, oneOf, path, recipient } from '../../lib/terminal/values.ts';

const options = {
  every: option('--every <interval>', `how often: ${INTERVAL_NAMES.join(', ')}`, oneOf(INTERVAL_NAMES)),
  gpgRecipient: option(
    '--gpg-recipient <recipient>',
    'encrypt to this key: name, mail, key id or fingerprint; may be repeated',
    recipient,
  ).repeatable(),
  output: option('--output <dir>', 'where the sets are put (default: beside the configuration)', path),
  roll: option('--roll <n>', 'afterwards keep only the newest n sets of this host', integer(1, 1_000_000)),
  metricsFile: option(
    '--metrics-file <file>',
    'have each run write metrics for Prometheus to this file',
    path,
  ),
  as: option('--as <keeper>', 'who keeps the times: cron (default) or systemd', oneOf(['cron', 'systemd'])),
  root: option('--root <dir>', 'write below this directory instead of /', path),
  remove: flag('--remove', 'remove the schedule that this command wrote'),
  dryRun: flag('--dry-run', 'show the files, and change nothing'),
  yes: flag('--yes', 'do not ask'),
  rehearse: flag('--rehearse', 'look up what a run needs, as the account that will run it').hidden(),
};

type Values = OptionValues<typeof options>;

async function requestOf(values: Values, confdir: string): Promise<ScheduleRequest> {
  const { every, gpgRecipient: recipients, output = dirname(confdir), as = 'cron', root = '/' } = values;
  const { roll, metricsFile } = values;
  if (every === undefined) throw failure('usage', 'missing --every', `one of ${INTERVAL_NAMES.join(', ')}`);
  if (recipients.length === 0)
    throw failure('usage', 'a scheduled backup is encrypted: give --gpg-recipient');
  const account = await ownerOf(confdir, sudoLine);
  return { every, account, confdir, recipients, output, roll, metricsFile, as, root, program: ownWords() };
}

/** `backup schedule`: has cron or systemd make backups. */
export default bareCommand({
  shortConfdir: true,
  options,
  examples: [
    "ktadmin backup schedule --every 1h --gpg-recipient='John Doe' --roll 48 --output /var/backups/keytrustee",
    'ktadmin backup schedule --remove',
  ],
  async run(values, { globals: { confdir }, terminal }) {
    const { remove, dryRun, root = '/' } = values;
    if (values.rehearse) {
      const account = await ownerOf(confdir, sudoLine);
      const { gpgRecipient, output = '', metricsFile } = values;
      return lookUp(await keyringOf(account), gpgRecipient, { output, confdir, metricsFile }) as never;
    }
    if (!isRoot() && root === '/' && !dryRun)
      throw failure('permission', 'only root can write in /etc', sudoLine('root'));
    const request = remove ? undefined : await requestOf(values, confdir);
    const files = request === undefined ? await planRemoval(root) : await planSchedule(request);
    const isPending = files.some(({ action }) => action !== 'unchanged');
    if (isPending) terminal.notice(describeFiles(files));
    if (isPending && !dryRun) {
      if (!values.yes && !(await confirm(terminal, 'Is that right?', '--yes')))
        throw failure('failed', 'nothing was changed');
      await applySchedule(files, request);
    }
    const actions = files.map(({ path: place, action }) => ({ path: place, action }));
    return { files: actions, dryRun, next: root === '/' ? nextSteps(files) : [] };
  },
  print: (result, terminal) => terminal.write(describeSchedule(result)),
});
