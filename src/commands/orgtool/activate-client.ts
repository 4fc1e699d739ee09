import { checkFingerprint, setClientState } from '../../lib/clients/client.ts';
import { checkOrganizationName } from '../../lib/organizations/names.ts';
import { withRecordedDatabase } from '../../lib/terminal/audit.ts';
import { reportClient } from '../../lib/terminal/client.ts';
import { command, option } from '../../lib/terminal/command.ts';

/** `orgtool activate-client`: approves a client that asks for it; one that was stopped stays stopped. */
export default command({
  libraries: ['pg'],
  options: {
    name: option(
      '-n, --name <name>',
      'the organization that the client must belong to',
      checkOrganizationName,
    ),
    fingerprint: option('--fingerprint <fp>', 'the client: 40 hex digits', checkFingerprint).required(),
  },
  examples: [
    'keytrustee-orgtool activate-client -n prod --fingerprint 0123456789ABCDEF0123456789ABCDEF01234567',
  ],
  async run({ name, fingerprint }, { settings, terminal }) {
    const conditions = { organization: name, from: 'pending' as const };
    const change = await withRecordedDatabase(settings, (database, recorder) =>
      setClientState(database, fingerprint, 'active', recorder, conditions),
    );
    return reportClient(change, terminal);
  },
});
