import { checkFingerprint, setClientState } from '../../lib/clients/client.ts';
import { withRecordedDatabase } from '../../lib/terminal/audit.ts';
import { reportClient } from '../../lib/terminal/client.ts';
import { command, option } from '../../lib/terminal/command.ts';

/** `orgtool disable-client`: stops a client. */
export default command({
  libraries: ['pg'],
  options: {
    fingerprint: option('--fingerprint <fp>', 'the client: 40 hex digits', checkFingerprint).required(),
  },
  examples: ['keytrustee-orgtool disable-client --fingerprint 0123456789ABCDEF0123456789ABCDEF01234567'],
  async run({ fingerprint }, { settings, terminal }) {
    const change = await withRecordedDatabase(settings, (database, recorder) =>
      setClientState(database, fingerprint, 'disabled', recorder),
    );
    return reportClient(change, terminal);
  },
});
