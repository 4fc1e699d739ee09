import { selfSignCertificate } from '../../lib/certificates/self-sign.ts';
import { withLock } from '../../lib/core/lock.ts';
import { recordedCertificate } from '../../lib/terminal/audit.ts';
import { certificatePlace, tellKey, wanting, wishOf } from '../../lib/terminal/certificate-options.ts';
import { command, option } from '../../lib/terminal/command.ts';
import { integer } from '../../lib/terminal/values.ts';

/** `cert self-sign`: a self-signed certificate, which waits beside its key until it is put to use. */
export default command({
  libraries: ['execa', 'x509'],
  options: {
    days: option('--days <n>', 'how long it is valid, from 1 to 3650', integer(1, 3650)).default(365),
    ...wanting,
  },
  examples: ['ktadmin cert self-sign', 'ktadmin cert self-sign --days 825 --new-key p256 --san 192.0.2.7'],
  async asCaller(values) {
    wishOf(values);
  },
  async run({ days, san, ...values }, { settings }) {
    const host = settings.configuration.EXTERNAL_ADDRESS;
    const wanted = { host, names: san, wish: wishOf(values), days };
    return withLock(settings.confdir, 'certificate command', () =>
      recordedCertificate(settings, 'certificate.self-sign', (record) =>
        selfSignCertificate(certificatePlace(settings), wanted, record),
      ),
    );
  },
  async print({ path, names, fingerprint, validTo, ...made }, terminal) {
    terminal.notice(`a self-signed certificate for ${names.join(', ')}, valid until ${validTo}`);
    terminal.notice(`SHA-256 of the certificate: ${fingerprint}`);
    tellKey(made, terminal);
    terminal.notice('to put it to use: ktadmin cert rotate --pending');
    await terminal.write(`${path}\n`);
  },
});
