import { requestCertificate } from '../../lib/certificates/request.ts';
import { withLock } from '../../lib/core/lock.ts';
import { recordedCertificate } from '../../lib/terminal/audit.ts';
import { intoCallerFile, openCallerFile } from '../../lib/terminal/caller-file.ts';
import { certificatePlace, tellKey, wanting, wishOf } from '../../lib/terminal/certificate-options.ts';
import { command, option } from '../../lib/terminal/command.ts';
import { path } from '../../lib/terminal/values.ts';

/** `cert request`: a signing request for an authority. Its key waits, and the one in use stays in use. */
export default command({
  libraries: ['execa', 'x509'],
  options: {
    ...wanting,
    out: option('--out <file>', 'write the request there instead of standard output', path),
  },
  examples: [
    'ktadmin cert request --out kts01.csr',
    'ktadmin cert request --new-key p256 --san kts.example.com > kts01.csr',
  ],
  async asCaller({ out, ...values }) {
    wishOf(values);
    return out === undefined ? undefined : openCallerFile(out);
  },
  async run({ out, ...values }, { settings, terminal }, file) {
    const host = settings.configuration.EXTERNAL_ADDRESS;
    const wanted = { host, names: values.san, wish: wishOf(values) };
    const made = await intoCallerFile(file, terminal, async () => {
      const requested = await withLock(settings.confdir, 'certificate command', () =>
        recordedCertificate(settings, 'certificate.request', (record) =>
          requestCertificate(certificatePlace(settings), wanted, record),
        ),
      );
      return [requested, requested.request];
    });
    return { ...made, ...(out === undefined ? {} : { out }) };
  },
  async print(made, terminal) {
    const { request, key, names } = made;
    terminal.notice(`a request for ${names.join(', ')}`);
    tellKey(made, terminal);
    const waits = key.origin === 'in-use' ? '' : ' --pending';
    terminal.notice(`when the authority has signed it: ktadmin cert rotate --cert FILE${waits}`);
    if (!('out' in made)) await terminal.write(request);
  },
});
