import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { secureOptions } from '../../../src/lib/tls/context.ts';
import { type PairFiles, readPair } from '../../../src/lib/tls/pair.ts';
import { run, temporaryDirectory } from '../../support/sandbox.ts';

const protocol = { SSL_MIN_VERSION: 'tlsv1.2', SSL_CIPHERS: '' } as const;
let directory = '';
const at = (name: string) => join(directory, name);
const files = (more: Partial<PairFiles> = {}): PairFiles => ({
  SSL_CERTIFICATE: at('own.pem'),
  SSL_PRIVATE_KEY: at('own.key'),
  ...more,
});

async function openssl(...args: string[]): Promise<void> {
  const done = await run('openssl', args);
  if (done.status !== 0) throw new Error(done.stderr);
}

/** A root, an authority below it, and a certificate of that for a.example.com. */
beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  directory = await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  const authority = ['-addext', 'basicConstraints=critical,CA:TRUE'];
  await openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    at('root.key'),
    '-out',
    at('root.pem'),
    '-subj',
    '/CN=root',
    ...authority,
  );
  const by = (name: string) => ['-CA', at(`${name}.pem`), '-CAkey', at(`${name}.key`)];
  const middle = ['-keyout', at('middle.key'), '-out', at('middle.pem'), '-subj', '/CN=middle'];
  await openssl('req', '-x509', ...key, ...middle, ...authority, ...by('root'));
  const own = ['-keyout', at('own.key'), '-out', at('own.pem'), '-subj', '/CN=a.example.com', '-days', '90'];
  const names = ['-addext', 'subjectAltName=DNS:a.example.com,IP:192.0.2.1'];
  await openssl(
    'req',
    '-x509',
    ...key,
    ...own,
    ...names,
    '-addext',
    'basicConstraints=CA:FALSE',
    ...by('middle'),
  );
  await openssl('pkey', '-in', at('own.key'), '-aes256', '-passout', 'pass:right', '-out', at('pkcs8.key'));
  const old = ['-traditional', '-aes256', '-passout', 'pass:right'];
  await openssl('rsa', '-in', at('own.key'), ...old, '-out', at('old.key'));
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

test('the authorities are sent behind the certificate, each once', async () => {
  const chain = [await readText('own.pem'), await readText('middle.pem')].join('');
  await writeFile(at('chain.pem'), chain);
  await writeFile(
    at('authorities.pem'),
    `${await readText('middle.pem')}\n# root\n${await readText('root.pem')}`,
  );
  const pair = await readPair(
    files({ SSL_CERTIFICATE: at('chain.pem'), SSL_CA_CERTIFICATE: at('authorities.pem') }),
  );
  const names = pair.chain.map(({ subject }) => subject);
  expect(names).toEqual(['CN=a.example.com', 'CN=middle', 'CN=root']);
  expect(`${secureOptions(pair, protocol).cert}`.match(/BEGIN/g)).toHaveLength(3);
});

async function readText(name: string): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  return readFile(at(name), 'utf8');
}

test.each(['pkcs8.key', 'old.key'])('a key with a password is opened by the script: %s', async (name) => {
  const key = { SSL_PRIVATE_KEY: at(name) };
  const right = await readPair(files({ ...key, SSL_PRIVATE_KEY_PASSWORD_SCRIPT: '/bin/echo -n right' }));
  expect(secureOptions(right, protocol).key).toContain('BEGIN PRIVATE KEY');
  await expect(readPair(files(key))).rejects.toThrow(`SSL_PRIVATE_KEY ${at(name)} has a password`);
  await expect(
    readPair(files({ ...key, SSL_PRIVATE_KEY_PASSWORD_SCRIPT: '/bin/echo wrong' })),
  ).rejects.toThrow(
    `SSL_PRIVATE_KEY ${at(name)} does not open with the password of SSL_PRIVATE_KEY_PASSWORD_SCRIPT`,
  );
});

test('a script for a key that has no password is not run', async () => {
  const pair = await readPair(files({ SSL_PRIVATE_KEY_PASSWORD_SCRIPT: '/nowhere' }));
  expect(pair.key.type).toBe('private');
});

test('what is no certificate, no key or another pair is refused', async () => {
  await writeFile(at('garbage.pem'), '-----BEGIN CERTIFICATE-----\nZZZZ\n-----END CERTIFICATE-----\n');
  const refused = (more: Partial<PairFiles>) => expect(readPair(files(more))).rejects;
  await refused({ SSL_CERTIFICATE: at('garbage.pem') }).toThrow(/garbage.pem is no certificate in PEM form$/);
  await refused({ SSL_CA_CERTIFICATE: at('own.key') }).toThrow(
    /^SSL_CA_CERTIFICATE .*no certificate in PEM form$/,
  );
  await refused({ SSL_PRIVATE_KEY: at('own.pem') }).toThrow(
    /^SSL_PRIVATE_KEY .* is no private key in PEM form$/,
  );
  await refused({ SSL_PRIVATE_KEY: at('nothing') }).toThrow(/nothing is missing$/);
  const other = await readPair(files({ SSL_PRIVATE_KEY: at('root.key') }));
  expect(() => secureOptions(other, protocol)).toThrow('SSL_PRIVATE_KEY does not belong to SSL_CERTIFICATE');
});

test('a key that OpenSSL finds too short is refused in words of the settings', async () => {
  const short = ['-newkey', 'rsa:512', '-nodes', '-keyout', at('short.key'), '-out', at('short.pem')];
  await openssl('req', '-x509', ...short, '-subj', '/CN=a.example.com');
  const pair = await readPair(files({ SSL_CERTIFICATE: at('short.pem'), SSL_PRIVATE_KEY: at('short.key') }));
  expect(() => secureOptions(pair, protocol)).toThrow(
    'SSL_CERTIFICATE cannot be used: its key is too short for OpenSSL',
  );
});
