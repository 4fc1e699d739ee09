import { rehearseRotation } from '../../lib/certificates/dry-run.ts';
import { readGiven } from '../../lib/certificates/given.ts';
import { rotate } from '../../lib/certificates/rotate.ts';
import { certificateSite, printExchange } from '../../lib/terminal/certificate-site.ts';
import { refuseContrary, wishMaker } from '../../lib/terminal/certificate-wish.ts';
import { command, flag, option } from '../../lib/terminal/command.ts';
import { integer, path } from '../../lib/terminal/values.ts';
import { alternativeName } from '../../lib/tls/names.ts';

const read = async (name: string | undefined) => (name === undefined ? undefined : readGiven(name));

/** `cert rotate`: puts a certificate to use while the server goes on serving. */
export default command({
  libraries: ['execa', 'writeFileAtomic', 'inquirer', 'ora', 'x509'],
  options: {
    cert: option('--cert <file>', 'the certificate, with or without its key and authorities', path),
    key: option('--key <file>', 'its private key (default: the one in use, where it belongs to it)', path),
    ca: option('--ca <file>', 'the certificates of the authorities that issued it', path),
    passwordScript: option('--password-script <command>', "what prints the key's password, from now on"),
    passwordFile: option('--password-file <file>', "the file that holds the key's password", path),
    inPlace: flag('--in-place', 'use the files where they lie, and copy nothing'),
    pending: flag('--pending', 'the key that cert request made, or what cert self-sign made'),
    selfSign: flag('--self-sign', 'a new self-signed certificate with a new key'),
    days: option('--days <n>', 'how long a self-signed one is valid (default: 365)', integer(1, 3650)),
    san: option('--san <name>', 'a further name of a self-signed one', alternativeName)
      .repeatable()
      .default([]),
    dryRun: flag('--dry-run', 'check everything, show the steps, and change nothing'),
  },
  examples: [
    'ktadmin cert rotate --cert kts01.pem --key kts01.key --ca ca.pem',
    'ktadmin cert rotate --cert kts01.pem --key kts01.key --password-script /usr/local/sbin/kts-password',
    'ktadmin cert rotate --pending --cert kts01.pem --ca ca.pem',
    'ktadmin cert rotate --self-sign --days 90 --dry-run',
    'ktadmin cert rotate --cert /etc/letsencrypt/live/kts01/fullchain.pem --key /etc/letsencrypt/live/kts01/privkey.pem',
  ],
  async asCaller(values) {
    refuseContrary(values);
    const { cert, key, ca } = values;
    return { cert: await read(cert), key: await read(key), ca: await read(ca) };
  },
  async run(values, { settings, terminal }, given) {
    const site = certificateSite(settings, terminal);
    const { make, after, finish } = wishMaker(given, values, settings, terminal);
    return finish(await (values.dryRun ? rehearseRotation(site, make) : rotate(site, after)));
  },
  print: printExchange,
});
