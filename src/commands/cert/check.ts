import { readGiven } from '../../lib/certificates/given.ts';
import { failure, STATUS } from '../../lib/core/errors.ts';
import { checkHanded, checkOwn, printChecked } from '../../lib/terminal/certificate-check.ts';
import { command, flag, option } from '../../lib/terminal/command.ts';
import { path } from '../../lib/terminal/values.ts';
import { alternativeName } from '../../lib/tls/names.ts';

const read = async (name: string | undefined) => (name === undefined ? undefined : readGiven(name));

/** `cert check`: every reason why a certificate and its key would fail. */
export default command({
  libraries: ['execa', 'inquirer'],
  options: {
    cert: option('--cert <file>', 'the certificate (default: the one in use)', path),
    key: option('--key <file>', 'its private key (default: one that is here and belongs to it)', path),
    ca: option('--ca <file>', 'the certificates of the authorities that issued it', path),
    passwordScript: option('--password-script <command>', "what prints the key's password"),
    passwordFile: option('--password-file <file>', "the file that holds the key's password", path),
    host: option('--host <name>', 'the name that clients use (default: EXTERNAL_ADDRESS)', alternativeName),
    inPlace: flag('--in-place', 'the files are to stay where they lie: look at owners and modes, too'),
  },
  examples: ['ktadmin cert check', 'ktadmin cert check --cert kts01.pem --key kts01.key --ca ca.pem'],
  async asCaller({ cert, key, ca, passwordScript, passwordFile, inPlace }) {
    const needing = { key, ca, passwordScript, passwordFile, inPlace: inPlace || undefined };
    if (cert === undefined && Object.values(needing).some((value) => value !== undefined))
      throw failure('usage', 'no certificate is named', 'add --cert FILE');
    if (passwordScript !== undefined && passwordFile !== undefined)
      throw failure('usage', '--password-script and --password-file exclude each other');
    const [certificate, keyFile, authorities] = [await read(cert), await read(key), await read(ca)];
    return { cert: certificate, key: keyFile, ca: authorities, password: await read(passwordFile) };
  },
  async run({ host, ...values }, { settings, terminal }, { cert, ...files }) {
    const name = host?.value;
    const checked =
      cert === undefined
        ? await checkOwn(settings, name)
        : await checkHanded({ ...files, cert }, { ...values, host: name }, settings, terminal);
    if (checked.faults.length > 0) process.exitCode = STATUS.untrusted;
    return checked;
  },
  print: printChecked,
});
