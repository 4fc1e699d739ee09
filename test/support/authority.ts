/** An authority of a test's own, made with OpenSSL, and what a rotation leaves of it. */

import { X509Certificate } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { confdirFiles } from '../../src/lib/core/config.ts';
import { auditDirectory } from '../../src/lib/core/configuration.ts';
import { linesOf } from './audit.ts';
import { give } from './faults.ts';
import { run, type TestServer } from './sandbox.ts';

/** Where certificates are that it issued: `NAME.pem`, `NAME.key`; its own are `ca.pem` and `ca.key`. */
export interface Authority {
  at(name: string): string;
  /** Issues a certificate for a host with a key of its own, valid for so many days. */
  issue(name: string, days?: number): Promise<void>;
  /** The options that name what it issued. */
  options(name: string): string[];
  fingerprint(name: string): Promise<string>;
  openssl(...words: string[]): Promise<void>;
}

const PLAIN = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-x509'];
const OWN = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];

/** Makes an authority in a directory, for certificates of one host. */
export async function authority(directory: string, host: string): Promise<Authority> {
  const at = (name: string) => join(directory, name);
  const openssl = async (...words: string[]) => {
    const done = await run('openssl', words);
    if (done.status !== 0) throw new Error(`openssl ${words.join(' ')}: ${done.stderr}`);
  };
  const make = async (name: string, extensions: string[], ...more: string[]) => {
    await openssl(
      ...['req', ...PLAIN, '-config', at('openssl.cnf'), '-subj', `/CN=${name}`, ...more],
      ...['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)],
      ...extensions.flatMap((extension) => ['-addext', extension]),
    );
    for (const kind of ['key', 'pem']) await give(at(`${name}.${kind}`));
  };
  await writeFile(at('openssl.cnf'), '[req]\ndistinguished_name=d\n[d]\n');
  await make('ca', OWN, '-days', '3650');
  const server = ['basicConstraints=CA:FALSE', 'extendedKeyUsage=serverAuth', `subjectAltName=DNS:${host}`];
  return {
    at,
    openssl,
    issue: (name, days = 365) =>
      make(name, server, '-days', `${days}`, '-CA', at('ca.pem'), '-CAkey', at('ca.key')),
    options: (name) => ['--cert', at(`${name}.pem`), '--key', at(`${name}.key`), '--ca', at('ca.pem')],
    fingerprint: async (name) => new X509Certificate(await readFile(at(`${name}.pem`))).fingerprint256,
  };
}

/** What keytrustee.conf of a server says. */
export async function configurationOf(server: TestServer): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(confdirFiles(server.confdir).configuration, 'utf8')) as never;
}

/** What lies in the directory of the certificates, with the times in names left out. */
export async function storeOf(server: TestServer): Promise<string[]> {
  const names = await readdir(confdirFiles(server.confdir).ssl);
  return names.map((name) => name.replace(/\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z(-\d+)?/, 'STAMP')).toSorted();
}

/** The events of certificates in the audit trail of a server, each with how it ended and which certificate it is about. */
export async function certificateEvents(server: TestServer): Promise<string[]> {
  const lines = await linesOf(auditDirectory(server.confdir, {}), 'command');
  return lines
    .filter(({ event }) => `${event}`.startsWith('certificate.'))
    .map(({ event, outcome, what }) => `${event} ${outcome} ${(what as { subject: string }).subject}`);
}
