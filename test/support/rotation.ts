/** Certificates that an authority issues again and again, and lays where the tools of ACME lay them. */
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { run } from './sandbox.ts';

/** The file names of certbot, in its directories `live` and `archive`. */
const NAMES = ['cert', 'chain', 'fullchain', 'privkey'] as const;

/** An authority with an issuer below it, and what it issued last. */
export interface Renewals {
  /** What a client trusts. */
  root: string;
  /** What certbot names to its hooks: a directory of symbolic links. */
  lineage: string;
  /** Issues a certificate, and turns the links to it; for another host or with the key before where a test wants it wrong. */
  renew(wrong?: { host?: string; isAnotherKey?: boolean }): Promise<void>;
  /** Puts the root behind the issuer, as somebody may whose authority is his own. */
  addRoot(): Promise<void>;
}

async function openssl(...args: string[]): Promise<void> {
  const done = await run('openssl', args);
  if (done.status !== 0) throw new Error(`openssl ${args.join(' ')}: ${done.stderr}`);
}

/** Makes a key and a certificate, `NAME.key` and `NAME.pem`, signed by `by` where one is named. */
async function issue(directory: string, name: string, extensions: string[], by?: string): Promise<void> {
  const at = (file: string) => join(directory, file);
  await writeFile(at('openssl.cnf'), '[req]\ndistinguished_name=d\n[d]\n');
  await openssl(
    ...['req', '-x509', '-config', at('openssl.cnf'), '-subj', `/CN=${name}`, '-days', '90', '-nodes'],
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    ...(by === undefined ? [] : ['-CA', at(`${by}.pem`), '-CAkey', at(`${by}.key`)]),
    ...extensions.flatMap((extension) => ['-addext', extension]),
    ...['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)],
  );
}

const AUTHORITY = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
const serverOf = (host: string) => [
  'basicConstraints=critical,CA:FALSE',
  'keyUsage=critical,digitalSignature',
  'extendedKeyUsage=serverAuth',
  `subjectAltName=DNS:${host}`,
];

/** Makes an authority, and certbot's directories for one host, which nobody but the caller can enter. */
export async function renewals(parent: string, host: string): Promise<Renewals> {
  const [directory, place] = [join(parent, 'authority'), join(parent, 'letsencrypt')];
  const [lineage, archive] = [join(place, 'live', host), join(place, 'archive', host)];
  for (const path of [directory, lineage, archive]) await mkdir(path, { recursive: true, mode: 0o700 });
  await issue(directory, 'root', AUTHORITY);
  await issue(directory, 'issuer', AUTHORITY, 'root');
  const read = (name: string) => readFile(join(directory, name), 'utf8');
  const [root, issuer] = [await read('root.pem'), await read('issuer.pem')];
  let number = 0;
  return {
    root,
    lineage,
    addRoot: () => writeFile(join(lineage, 'chain.pem'), issuer + root),
    async renew(wrong = {}) {
      number += 1;
      const before = wrong.isAnotherKey ? await read('server.key') : undefined;
      await issue(directory, 'server', serverOf(wrong.host ?? host), 'issuer');
      const [cert, privkey] = [await read('server.pem'), before ?? (await read('server.key'))];
      const texts = { cert, chain: issuer, fullchain: cert + issuer, privkey };
      for (const name of NAMES) {
        await writeFile(join(archive, `${name}${number}.pem`), texts[name], { mode: 0o600 });
        const link = join(lineage, `${name}.pem`);
        await rm(`${link}.new`, { force: true });
        await symlink(`../../archive/${host}/${name}${number}.pem`, `${link}.new`);
        await rename(`${link}.new`, link);
      }
    },
  };
}

/** What a client that trusts one authority alone is presented under a name: the certificate's fingerprint. */
export function presentedTo(port: number, root: string, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: host, ca: root }, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? '');
      socket.end();
    });
    socket.once('error', reject);
  });
}
