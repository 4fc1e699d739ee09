/** What a client sees that verifies nothing: real TLS servers with certificates of openssl's, and what is no TLS server. */
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createSecureContext, createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { endpointOf, probe } from '../../../src/lib/tls/probe.ts';
import { freePort, run, temporaryDirectory } from '../../support/sandbox.ts';

let directory = '';
const pem = (name: string) => readFile(join(directory, `${name}.pem`), 'utf8');

async function make(name: string, issuer: string | undefined, ...more: string[]): Promise<void> {
  const by = issuer === undefined ? [] : ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`];
  const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const done = await run('openssl', ['req', '-x509', ...key, ...files, ...by, ...more], { cwd: directory });
  if (done.status !== 0) throw new Error(done.stderr);
}

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  directory = await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  const authority = ['-addext', 'basicConstraints=critical,CA:TRUE'];
  await make('root', undefined, ...authority);
  await make('middle', 'root', ...authority);
  await make('own', 'middle', '-addext', 'basicConstraints=CA:FALSE');
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function tlsServer(names: string[], options: TlsOptions = {}): Promise<number> {
  const cert = (await Promise.all(names.map(pem))).join('');
  const key = await readFile(join(directory, 'own.key'));
  return listening(createTlsServer({ cert, key, ...options }));
}

test.each([
  [['own', 'middle', 'root']],
  [['own', 'root', 'middle']],
  [['own']],
  [['own', 'middle', 'middle']],
])('the chain %s is shown as it was sent', async (names) => {
  for (const version of ['TLSv1', 'TLSv1.2', 'TLSv1.3'] as const) {
    const ciphers = 'DEFAULT@SECLEVEL=0';
    const port = await tlsServer(names, { minVersion: version, maxVersion: version, ciphers });
    const { chain, protocol, cipher } = await probe({ host: '127.0.0.1', port });
    expect(chain.map(({ subject }) => subject)).toEqual(names.map((name) => `CN=${name}`));
    expect([protocol, cipher]).toEqual([version, expect.stringMatching(/^(?:ECDHE|TLS)[-_]/)]);
  }
});

test('a name is asked for, and an address is not', async () => {
  const asked: string[] = [];
  const context = createSecureContext({
    cert: await pem('own'),
    key: await readFile(join(directory, 'own.key')),
  });
  const port = await tlsServer(['own'], {
    SNICallback(name, done) {
      asked.push(name);
      done(null, context);
    },
  });
  for (const servername of ['kts01.example.com', '192.0.2.1', '2001:db8::1', undefined])
    await probe({ host: '127.0.0.1', port, servername });
  expect(asked).toEqual(['kts01.example.com']);
});

const refused = (port: number, reason: string) => ({
  code: 'unreachable',
  message: `127.0.0.1:${port}: ${reason}`,
  hint: `openssl s_client -connect 127.0.0.1:${port} shows what happens`,
});

test('where nothing listens, or nothing that speaks TLS, that is said', async () => {
  const closed = await freePort();
  await expect(probe({ host: '127.0.0.1', port: closed })).rejects.toMatchObject(
    refused(closed, 'nothing listens there'),
  );
  const plain = await listening(createHttpServer());
  await expect(probe({ host: '127.0.0.1', port: plain })).rejects.toMatchObject(
    refused(plain, 'what listens there speaks no TLS'),
  );
  const ending = await listening(createServer((socket) => socket.end()));
  await expect(probe({ host: '127.0.0.1', port: ending })).rejects.toMatchObject(
    refused(ending, 'the server ended the connection'),
  );
  const needy = await tlsServer(['own'], { ciphers: 'PSK', maxVersion: 'TLSv1.2' });
  await expect(probe({ host: '127.0.0.1', port: needy })).rejects.toMatchObject(
    refused(needy, 'the server shares no version or cipher with this client'),
  );
});

test('a server that says nothing is not waited for', async () => {
  const sockets: Socket[] = [];
  const silent = await listening(createServer((socket) => void sockets.push(socket)));
  await expect(probe({ host: '127.0.0.1', port: silent }, 50)).rejects.toMatchObject(
    refused(silent, 'no answer in time'),
  );
  for (const socket of sockets) socket.destroy();
});

test.each([
  ['https://[::]:11371', { host: '::1', port: 11371 }],
  ['https://0.0.0.0:443', { host: '127.0.0.1', port: 443 }],
  ['https://[2001:db8::1]:8443', { host: '2001:db8::1', port: 8443 }],
])('who listens on %s is reached', (address, endpoint) => {
  expect(endpointOf(address, 'kts01')).toEqual({ ...endpoint, servername: 'kts01' });
});
