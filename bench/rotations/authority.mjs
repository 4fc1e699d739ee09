// An authority of one's own, as an office has it: a root, an issuer below it, and a certificate for a server, all made by OpenSSL.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const AUTHORITY = 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n';
const server = (host) =>
  'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n' +
  `subjectAltName=${/^[\d.:]+$/.test(host) ? 'IP' : 'DNS'}:${host}\n`;

function openssl(...words) {
  const done = spawnSync('openssl', words, { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`openssl ${words.join(' ')}: ${done.stderr ?? done.error}`);
}

/** Makes `NAME.key`, a request for it, and what `by` signs: `NAME.pem`. */
function issue(directory, { name, subject, extensions, by }) {
  const at = (file) => join(directory, file);
  writeFileSync(at(`${name}.ext`), extensions);
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', at(`${name}.key`));
  openssl('req', '-new', '-key', at(`${name}.key`), '-subj', subject, '-out', at(`${name}.csr`));
  const signer =
    by === undefined
      ? ['-signkey', at(`${name}.key`)]
      : ['-CA', at(`${by}.pem`), '-CAkey', at(`${by}.key`), '-CAcreateserial'];
  const words = ['-req', '-days', '90', '-in', at(`${name}.csr`), '-extfile', at(`${name}.ext`), ...signer];
  openssl('x509', ...words, '-out', at(`${name}.pem`));
}

/** Makes the authority `name` in a directory of its own, and its certificate for a host: the words that rotate to it, and what trusts it. */
export function makeAuthority(parent, name, host) {
  const directory = join(parent, name);
  mkdirSync(directory, { mode: 0o700 });
  const at = (file) => join(directory, file);
  issue(directory, { name: 'root', subject: `/CN=${name} root`, extensions: AUTHORITY });
  issue(directory, { name: 'issuer', subject: `/CN=${name} issuer`, extensions: AUTHORITY, by: 'root' });
  issue(directory, { name: 'server', subject: `/CN=${host}`, extensions: server(host), by: 'issuer' });
  const root = readFileSync(at('root.pem'), 'utf8');
  writeFileSync(at('ca.pem'), readFileSync(at('issuer.pem'), 'utf8') + root);
  const words = ['--cert', at('server.pem'), '--key', at('server.key'), '--ca', at('ca.pem')];
  return { name, root, words };
}
