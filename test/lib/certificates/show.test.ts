/** What `cert show` finds out of servers that are not as they should be, and its words for the time that is left. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext, createServer, type TlsOptions } from 'node:tls';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { showCertificate } from '../../../src/lib/certificates/show.ts';
import { failure } from '../../../src/lib/core/errors.ts';
import { describe } from '../../../src/lib/tls/describe.ts';
import { issueChain } from '../../support/authorities.ts';
import { freePort, run, temporaryDirectory } from '../../support/sandbox.ts';

const HOST = 'kts01.example.com';
let directory: string;
const at = (name: string) => join(directory, name);

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  directory = await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  await Promise.all([issueChain(directory, 'own', HOST), issueChain(directory, 'other', HOST)]);
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const material = async (name: string) => ({
  cert: await readFile(at(`${name}-chain.pem`)),
  key: await readFile(at(`${name}.key`)),
});

/** A server of this process; the address at which it listens. */
async function listening(options: TlsOptions): Promise<string> {
  const server = createServer(options);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => void server.close());
  const address = server.address();
  return `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

/** Shows the certificate `own`, where a server says of itself that it listens at an address. */
async function shown(address: string, minimum: 'tlsv1.2' | 'tlsv1.3' = 'tlsv1.2') {
  return showCertificate({
    settings: {
      ...{ EXTERNAL_ADDRESS: HOST, PORT: await freePort(), SSL_MIN_VERSION: minimum, SSL_CIPHERS: '' },
      ...{ SSL_CERTIFICATE: at('own-chain.pem'), SSL_PRIVATE_KEY: at('own.key') },
    },
    sslDirectory: at('nothing-is-here'),
    ask: () => Promise.resolve({ pid: 4711, addresses: [address], workers: 2 }),
  });
}

const WHAT_TO_DO =
  'kill -HUP 4711 has the server read keytrustee.conf and its files again; ktadmin cert check says before whether they are good';

test('processes that present different certificates are found out', async () => {
  const contexts = [await material('own'), await material('other')].map((each) => createSecureContext(each));
  let asked = 0;
  const address = await listening({
    ...(await material('own')),
    SNICallback: (_name, done) => done(null, contexts[asked++ % 2]),
  });
  const { agrees, presented, warnings } = await shown(address);
  expect({ agrees, warnings }).toEqual({
    agrees: false,
    warnings: [
      `some processes behind ${address} present another chain than keytrustee.conf names`,
      WHAT_TO_DO,
    ],
  });
  expect(presented[0]?.chain[0]?.subject).toBe('O=Example, CN=other');
});

test('a version that the settings forbid by now is found out', async () => {
  const address = await listening({ ...(await material('own')), minVersion: 'TLSv1.2' });
  expect(await shown(address)).toMatchObject({ agrees: true, warnings: [] });
  const { agrees, warnings } = await shown(address, 'tlsv1.3');
  const message = `${address} speaks TLSv1.2, and SSL_MIN_VERSION is tlsv1.3`;
  expect({ agrees, warnings }).toEqual({ agrees: false, warnings: [message, WHAT_TO_DO] });
});

test('a server that runs and cannot be reached, or does not answer, is told', async () => {
  const port = await freePort();
  const { agrees, presented, warnings } = await shown(`https://127.0.0.1:${port}`);
  const message = `the server that runs (pid 4711) cannot be reached: 127.0.0.1:${port}: nothing listens there`;
  expect({ agrees, presented, warnings }).toEqual({ agrees: false, presented: [], warnings: [message] });
  const silent = await showCertificate({
    settings: {
      ...{ EXTERNAL_ADDRESS: HOST, PORT: port, SSL_MIN_VERSION: 'tlsv1.2', SSL_CIPHERS: '' },
      ...{ SSL_CERTIFICATE: at('own-chain.pem'), SSL_PRIVATE_KEY: at('own.key') },
    },
    sslDirectory: directory,
    ask: () => Promise.reject(failure('unreachable', 'the server did not answer in time')),
  });
  expect(silent).toMatchObject({ agrees: null, warnings: ['the server did not answer in time'] });
});

test('the time that is left, in words', async () => {
  const certificate = new X509Certificate(await readFile(at('own.pem')));
  const end = Date.parse(certificate.validTo);
  const words = (days: number) => describe(certificate, end - days * 86_400_000).validity;
  expect([31, 29, 1, 0.5, -0.5, -1, -2].map(words)).toEqual([
    ...['31 days left', '29 days left', '1 day left', 'less than a day left'],
    ...['expired less than a day ago', 'expired 1 day ago', 'expired 2 days ago'],
  ]);
  expect(words(400)).toBe(`valid from ${describe(certificate).validFrom}`);
  expect(describe(certificate).validFrom).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
});

test('keys and names of every kind are described', async () => {
  const made = async (name: string, names: string, ...key: string[]) => {
    const files = ['-nodes', '-subj', '/CN=x', '-keyout', at('odd.key'), '-out', at(name)];
    const args = ['req', '-x509', ...key, ...files, '-addext', `subjectAltName=${names}`];
    expect(await run('openssl', args)).toMatchObject({ status: 0 });
    const { key: shownKey, names: shownNames } = describe(new X509Certificate(await readFile(at(name))));
    return { key: shownKey, names: shownNames };
  };
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  expect(await made('ec.pem', 'DNS:a.example.com,URI:https://a/?b,IP:2001:db8::1', ...curve)).toEqual({
    key: { type: 'ec', curve: 'P-256' },
    names: ['a.example.com', 'URI:https://a/?b', '2001:db8::1'],
  });
  expect(await made('ed.pem', 'email:a@example.com,DNS:b', '-newkey', 'ed25519')).toEqual({
    key: { type: 'ed25519' },
    names: ['email:a@example.com', 'b'],
  });
});
