import { assemble } from '../../lib/certificates/candidate.ts';
import { readGiven } from '../../lib/certificates/given.ts';
import { failure } from '../../lib/core/errors.ts';
import { command, option } from '../../lib/terminal/command.ts';
import { path } from '../../lib/terminal/values.ts';
import { passwordOf } from '../../lib/tls/password.ts';

/** `cert check`: every reason why a certificate and its key would fail. */
export default command({
  options: {
    cert: option('--cert <file>', 'the certificate (default: the one in use)', path),
    key: option('--key <file>', 'its private key', path),
    ca: option('--ca <file>', 'the certificates of the authorities that issued it', path),
  },
  examples: ['ktadmin cert check', 'ktadmin cert check --cert kts01.pem --key kts01.key --ca ca.pem'],
  async run({ cert, key, ca }, { settings: { configuration }, terminal }) {
    const { SSL_CERTIFICATE, SSL_PRIVATE_KEY, SSL_CA_CERTIFICATE } = configuration;
    const { SSL_PRIVATE_KEY_PASSWORD_SCRIPT: script, EXTERNAL_ADDRESS: host } = configuration;
    const paths =
      cert === undefined ? [SSL_CERTIFICATE, SSL_PRIVATE_KEY, SSL_CA_CERTIFICATE] : [cert, key, ca];
    const [certificate, keyFile, authorities] = await Promise.all(
      paths.map(async (name) => (name === undefined ? undefined : readGiven(name))),
    );
    if (certificate === undefined) throw failure('usage', 'no certificate is named', 'add --cert FILE');
    const { faults, warnings } = await assemble(
      { certificate, key: keyFile, authorities },
      {
        host,
        protocol: configuration,
        password: script === undefined ? undefined : () => passwordOf(script),
      },
    );
    for (const { message } of warnings) terminal.warn(message);
    if (faults.length === 0) return { faults, warnings };
    const list = faults.map(({ message, hint }) => `  ${message}\n    ${hint}`).join('\n');
    throw failure('untrusted', `the certificate cannot be used:\n${list}`);
  },
  print: (_result, terminal) => terminal.notice('no faults'),
});
