import { rollback } from '../../lib/certificates/rollback.ts';
import { certificateSite, printOutcome } from '../../lib/terminal/certificate-site.ts';
import { command } from '../../lib/terminal/command.ts';

/** `cert rollback`: puts the certificate back to use that was in use before the last rotation. */
export default command({
  libraries: ['execa', 'writeFileAtomic', 'ora'],
  options: {},
  examples: ['ktadmin cert rollback'],
  run: async (_values, { settings, terminal }) =>
    rollback(certificateSite(settings, terminal), settings.configuration),
  print: printOutcome,
});
