/** What a server speaks, as OpenSSL's own client sees it, and what becomes of it at SIGHUP. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { refusal, said } from '../../support/refusal.ts';
import { run, type TestServer, testServer, until } from '../../support/sandbox.ts';
import { ask, configure, type Serving, serving } from '../../support/serving.ts';

let server: TestServer;
let running: Serving;

/** One server without a database for all of them: each test has it read its settings again. */
beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  const atEnd = (cleanUp: () => Promise<void>) => void cleanUps.unshift(cleanUp);
  server = await testServer({ start: false, atEnd });
  running = await serving(server, { atEnd });
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const ssl = (name: string) => join(server.confdir, '.ssl', name);
const linesOf = (word: string) => running.stderr().split(word).length - 1;

async function reload(settings: Record<string, unknown>, word = 'reloaded: '): Promise<void> {
  await configure(server, settings);
  const before = linesOf(word);
  running.kill('SIGHUP');
  await until(() => linesOf(word) > before, word);
}

/** What `openssl s_client` agrees upon; an empty text where it was refused. */
async function agreed(...args: string[]): Promise<string> {
  const client = ['s_client', '-connect', `127.0.0.1:${running.port}`, ...args];
  const { stdout } = await run('openssl', client);
  return /^(?:New, |\s+Cipher\s+: )(?:\S+, Cipher is )?(?!\(NONE\)|0000)(\S+)$/m.exec(stdout)?.[1] ?? '';
}

const VERSIONS = ['tlsv1', 'tlsv1.1', 'tlsv1.2', 'tlsv1.3'];
const FLAGS = ['-tls1', '-tls1_1', '-tls1_2', '-tls1_3'];

test.each(VERSIONS)(
  'SSL_MIN_VERSION %s: that and every later version is spoken, none before',
  async (minimum) => {
    await reload({ SSL_MIN_VERSION: minimum, SSL_CIPHERS: '' });
    const spoken = await Promise.all(FLAGS.map((flag) => agreed(flag, '-cipher', 'DEFAULT@SECLEVEL=0')));
    const least = VERSIONS.indexOf(minimum);
    expect(spoken.map((cipher) => cipher !== '')).toEqual(FLAGS.map((_, place) => place >= least));
  },
);

test.each(['AES256:CAMELLIA256-SHA', 'AES256,CAMELLIA256-SHA', 'AES256 CAMELLIA256-SHA'])(
  'the ciphers %s are spoken and no other of TLS 1.2; TLS 1.3 keeps its suites',
  async (list) => {
    await reload({ SSL_MIN_VERSION: 'tlsv1.2', SSL_CIPHERS: list });
    const cipher = (...names: string[]) => agreed('-tls1_2', '-cipher', `${names.join(':')}:@SECLEVEL=0`);
    expect(await cipher('CAMELLIA256-SHA')).toBe('CAMELLIA256-SHA');
    expect(await cipher('ECDHE-RSA-AES128-GCM-SHA256', 'AECDH-AES256-SHA', 'ADH-AES256-SHA')).toBe('');
    expect(await agreed('-tls1_3', '-ciphersuites', 'TLS_AES_128_GCM_SHA256')).toBe('TLS_AES_128_GCM_SHA256');
  },
);

test('suites of TLS 1.3 that are named are the only ones', async () => {
  await reload({ SSL_CIPHERS: 'TLS_AES_256_GCM_SHA384' });
  expect(await agreed('-tls1_3')).toBe('TLS_AES_256_GCM_SHA384');
  expect(await agreed('-tls1_3', '-ciphersuites', 'TLS_AES_128_GCM_SHA256')).toBe('');
  await reload({ SSL_CIPHERS: '' });
});

test('anonymous ciphers are not spoken where old versions are', async () => {
  await reload({ SSL_MIN_VERSION: 'tlsv1', SSL_CIPHERS: 'AES256:aNULL' });
  expect(await agreed('-tls1_2', '-cipher', 'AECDH-AES256-SHA:ADH-AES256-SHA:@SECLEVEL=0')).toBe('');
  expect(await agreed('-tls1', '-cipher', 'AES256-SHA:@SECLEVEL=0')).toBe('AES256-SHA');
  await reload({ SSL_MIN_VERSION: 'tlsv1.2', SSL_CIPHERS: '' });
});

/** Makes another certificate, and writes it and its key where they are asked for. */
async function makePair(certificate: string, key: string, ...more: string[]): Promise<void> {
  const args = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-subj',
    '/CN=other',
    '-keyout',
    key,
    '-out',
    certificate,
  ];
  expect(await run('openssl', [...args, ...more])).toMatchObject({ status: 0 });
  await run('chown', ['--reference', server.confdir, certificate, key]);
}

async function servedCertificate(): Promise<string> {
  const { stdout } = await run('openssl', ['s_client', '-connect', `127.0.0.1:${running.port}`]);
  const { stdout: pem } = await run('openssl', ['x509'], { input: stdout });
  return pem.trim();
}

test('a pair that does not fit is not taken over, and what was served is served on', async () => {
  const before = await servedCertificate();
  const [certificate, key] = [ssl('ssl-cert-keytrustee.pem'), ssl('ssl-cert-keytrustee-pk.pem')];
  const kept = await readFile(key);
  await makePair(ssl('other.pem'), ssl('other.key'), '-nodes');
  await writeFile(key, await readFile(ssl('other.key')));
  await reload({}, 'not reloaded, what was in use stays so');
  expect(running.stderr()).toContain('SSL_PRIVATE_KEY does not belong to SSL_CERTIFICATE');
  expect(await servedCertificate()).toBe(before);
  await writeFile(certificate, await readFile(ssl('other.pem')));
  await reload({});
  expect(await servedCertificate()).toBe((await readFile(ssl('other.pem'), 'utf8')).trim());
  await writeFile(certificate, before);
  await writeFile(key, kept);
  await reload({ SSL_CIPHERS: 'AES256:AES-256' }, 'not reloaded, what was in use stays so');
  expect(running.stderr()).toContain('SSL_CIPHERS: OpenSSL knows no cipher AES-256');
  await reload({ SSL_CIPHERS: '' });
});

test('a key with a password is opened by the script, and the password is nowhere in the log', async () => {
  await makePair(ssl('locked.pem'), ssl('locked.key'), '-passout', 'pass:s3cr3t');
  const files = { SSL_CERTIFICATE: ssl('locked.pem'), SSL_PRIVATE_KEY: ssl('locked.key') };
  await configure(server, { ...files });
  await reload({}, 'has a password');
  await reload({ SSL_PRIVATE_KEY_PASSWORD_SCRIPT: "/bin/echo -n 's3cr3t'" });
  expect(await servedCertificate()).toBe((await readFile(ssl('locked.pem'), 'utf8')).trim());
  expect(running.stderr()).toContain('SSL_PRIVATE_KEY_PASSWORD_SCRIPT holds the password itself');
  expect(running.stderr()).not.toContain('s3cr3t');
  const checked = await server.ktadmin(['config', 'check']);
  expect(checked).toMatchObject({ status: 0 });
  expect(checked.stderr).toContain(
    'ktadmin: warning: SSL_PRIVATE_KEY_PASSWORD_SCRIPT holds the password itself',
  );
});

test('a server that cannot be as its settings say does not start, and says what to do', async () => {
  const other = await testServer({ start: false });
  const start = async (settings: Record<string, unknown>) => {
    await configure(other, settings);
    return said(await other.ktadmin(['serve']));
  };
  const ciphers = refusal(
    1,
    'SSL_CIPHERS: OpenSSL knows no cipher AES-256',
    'openssl ciphers -v lists the names',
  );
  expect(await start({ SSL_CIPHERS: 'AES-256' })).toEqual(ciphers);
  const missing = refusal(
    1,
    'SSL_PRIVATE_KEY /nowhere is missing',
    'put the file there, or correct keytrustee.conf',
  );
  expect(await start({ SSL_CIPHERS: '', SSL_PRIVATE_KEY: '/nowhere' })).toEqual(missing);
  const key = join(other.confdir, '.ssl/ssl-cert-keytrustee-pk.pem');
  const locked = await run('openssl', ['pkey', '-in', key, '-aes256', '-passout', 'pass:right']);
  await writeFile(key, locked.stdout);
  expect(await start({ SSL_PRIVATE_KEY: key, SSL_PRIVATE_KEY_PASSWORD_SCRIPT: '/bin/false' })).toEqual(
    refusal(
      1,
      'SSL_PRIVATE_KEY_PASSWORD_SCRIPT failed (exit status 1)',
      'it must print the password of SSL_PRIVATE_KEY, and end with status 0 within 10 seconds',
    ),
  );
});

test('a reload is in the audit trail, done or failed', async () => {
  const { stdout } = await run('bash', ['-c', `cat ${server.directory}/audit/*`]);
  expect(stdout).toContain('server.reload');
  expect(stdout).toContain('SSL_PRIVATE_KEY does not belong to SSL_CERTIFICATE');
  expect((await ask(running.port, '/?a=fingerprint')).body).toBe(server.fingerprint);
});
