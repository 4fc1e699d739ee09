import { verifyTrail } from '../../lib/audit/verify.ts';
import { confdirFiles } from '../../lib/core/config.ts';
import { auditDirectory } from '../../lib/core/configuration.ts';
import { STATUS } from '../../lib/core/errors.ts';
import { bareFingerprint } from '../../lib/gpg/server-key.ts';
import { describeTrail } from '../../lib/terminal/audit-lines.ts';
import { command } from '../../lib/terminal/command.ts';
import { path } from '../../lib/terminal/values.ts';

/** `audit verify`: whether the audit trail is as the server wrote it. */
export default command({
  words: '[directory]',
  options: {},
  examples: ['ktadmin audit verify', 'ktadmin audit verify /mnt/audit-of-kts01 --json'],
  async run(_values, { settings: { confdir, configuration }, terminal, args: [copy] }) {
    const directory = copy === undefined ? auditDirectory(confdir, configuration) : path(copy);
    const { publicKeys } = confdirFiles(confdir);
    const fingerprint = bareFingerprint(configuration.LOCAL_FINGERPRINT);
    const report = await terminal.step('verifying the audit trail', () =>
      verifyTrail(directory, { keys: { publicKeys }, fingerprint }),
    );
    process.exitCode = report.trusted ? STATUS.done : STATUS.untrusted;
    return report;
  },
  print: (report, terminal) => terminal.write(describeTrail(report)),
});
