import { readGiven } from '../../lib/certificates/given.ts';
import { rotate } from '../../lib/certificates/rotate.ts';
import { failure } from '../../lib/core/errors.ts';
import { certificateSite, printOutcome } from '../../lib/terminal/certificate-site.ts';
import { wishOf } from '../../lib/terminal/certificate-wish.ts';
import { command, flag, option } from '../../lib/terminal/command.ts';
import { path } from '../../lib/terminal/values.ts';

const read = async (name: string | undefined) => (name === undefined ? undefined : readGiven(name));

/** `cert rotate`: puts a certificate to use while the server goes on serving. */
export default command({
  libraries: ['execa', 'writeFileAtomic', 'inquirer', 'ora'],
  options: {
    cert: option('--cert <file>', 'the certificate, with or without its key and authorities', path),
    key: option('--key <file>', 'its private key (default: the one in use, where it belongs to it)', path),
    ca: option('--ca <file>', 'the certificates of the authorities that issued it', path),
    passwordScript: option('--password-script <command>', "what prints the key's password, from now on"),
    passwordFile: option('--password-file <file>', "the file that holds the key's password", path),
    inPlace: flag('--in-place', 'use the files where they lie, and copy nothing'),
  },
  examples: [
    'ktadmin cert rotate --cert kts01.pem --key kts01.key --ca ca.pem',
    'ktadmin cert rotate --cert kts01.pem --key kts01.key --password-script /usr/local/sbin/kts-password',
    'ktadmin cert rotate --cert /etc/letsencrypt/live/kts01/fullchain.pem --key /etc/letsencrypt/live/kts01/privkey.pem',
  ],
  asCaller: async ({ cert, key, ca }) => ({
    cert: await read(cert),
    key: await read(key),
    ca: await read(ca),
  }),
  async run(values, { settings, terminal }, { cert, ...given }) {
    if (cert === undefined) throw failure('usage', 'no certificate is named', 'add --cert FILE');
    return rotate(certificateSite(settings, terminal), () =>
      wishOf({ ...given, cert }, values, settings, terminal),
    );
  },
  print: printOutcome,
});
