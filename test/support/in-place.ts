/** Certificates that are used where they lie, and overwritten there. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { probe } from '../../src/lib/tls/probe.ts';
import { type Authority, configurationOf } from './authority.ts';
import { give } from './faults.ts';
import type { TestServer } from './sandbox.ts';

/** One place, into which certificates of an authority are laid one after the other. */
export interface InPlace {
  /** The options that name it. */
  options: string[];
  certificate: string;
  /** Overwrites what lies there: with a certificate, and its key or another's. */
  lay(name: string, key?: string): Promise<void>;
  /** Removes the certificate. */
  remove(): Promise<void>;
  /** What keytrustee.conf names: the place, or a copy in a directory of the program's own. */
  named(): Promise<'place' | 'copy'>;
}

/** Makes such a place beside the files of an authority. */
export function inPlace(server: TestServer, ca: Authority): InPlace {
  const [certificate, key] = [ca.at('place.crt'), ca.at('place.private')];
  return {
    options: ['--in-place', '--cert', certificate, '--key', key, '--ca', ca.at('ca.pem')],
    certificate,
    async lay(name, own = name) {
      await writeFile(certificate, await readFile(ca.at(`${name}.pem`)));
      await writeFile(key, await readFile(ca.at(`${own}.key`)), { mode: 0o600 });
      for (const path of [certificate, key]) await give(path);
    },
    remove: () => rm(certificate),
    async named() {
      const { SSL_CERTIFICATE } = await configurationOf(server);
      if (SSL_CERTIFICATE === certificate) return 'place';
      const own = /\/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(-\d+)?\/ssl-cert-keytrustee\.pem$/;
      const path = `${SSL_CERTIFICATE}`;
      if (path.startsWith(join(server.confdir, '.ssl/')) && own.test(path)) return 'copy';
      throw new Error(path);
    },
  };
}

/** Has an authority issue a certificate that expired long ago. */
export const issueExpired = (ca: Authority, name: string) =>
  issueBetween(ca, name, '20200101000000Z', '20200201000000Z');

/** Has an authority issue a certificate that is valid from one time to another. */
export async function issueBetween(ca: Authority, name: string, from: string, to: string): Promise<void> {
  await ca.issue(name);
  await writeFile(ca.at('index.txt'), '');
  const lines = [
    '[ca]',
    'default_ca=d',
    '[d]',
    `database=${ca.at('index.txt')}`,
    `serial=${ca.at('serial')}`,
    'policy=p',
    '[p]',
  ];
  await writeFile(ca.at('ca.cnf'), `${[...lines, 'commonName=supplied'].join('\n')}\n`);
  const of = ['-config', ca.at('openssl.cnf'), '-subj', `/CN=${name}`, '-out', ca.at(`${name}.csr`)];
  await ca.openssl('req', '-new', '-key', ca.at(`${name}.key`), ...of);
  await ca.openssl(
    ...['ca', '-batch', '-notext', '-config', ca.at('ca.cnf'), '-md', 'sha256', '-create_serial'],
    ...['-cert', ca.at('ca.pem'), '-keyfile', ca.at('ca.key'), '-outdir', ca.at('.')],
    ...['-startdate', from, '-enddate', to],
    ...['-in', ca.at(`${name}.csr`), '-out', ca.at(`${name}.pem`)],
  );
}

/** The subject that clients are presented. */
export async function subjectPresented(port: number, host: string): Promise<string> {
  const { chain } = await probe({ host: '127.0.0.1', port, servername: host });
  return `${chain[0]?.subject}`;
}
