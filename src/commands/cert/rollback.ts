import { rehearseRollback } from '../../lib/certificates/dry-run.ts';
import { rollback } from '../../lib/certificates/rollback.ts';
import { certificateSite, printExchange } from '../../lib/terminal/certificate-site.ts';
import { command, flag } from '../../lib/terminal/command.ts';

/** `cert rollback`: puts the certificate back to use that was in use before the last rotation. */
export default command({
  libraries: ['execa', 'writeFileAtomic', 'ora'],
  options: { dryRun: flag('--dry-run', 'check everything, show the steps, and change nothing') },
  examples: ['ktadmin cert rollback --dry-run', 'ktadmin cert rollback'],
  async run({ dryRun }, { settings, terminal }) {
    const site = certificateSite(settings, terminal);
    return (dryRun ? rehearseRollback : rollback)(site, settings.configuration);
  },
  print: printExchange,
});
