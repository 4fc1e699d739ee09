/** `ktadmin cert show` on files as they can be: what it prints, whole, and that it goes on where something is wrong. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import {
  freePort,
  isRoot,
  type Outcome,
  run,
  type TestServer,
  testServer,
  withoutDrop,
} from '../../support/sandbox.ts';
import { configure } from '../../support/serving.ts';

let server: TestServer;
let free: number;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  server = await testServer({ start: false, atEnd: (cleanUp) => cleanUps.push(cleanUp) });
  free = await freePort();
  // Whatever this machine has at the usual port is not looked at.
  await configure(server, { PORT: free });
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const ssl = (name: string) => join(server.confdir, '.ssl', name);
const show = async (...args: string[]): Promise<Outcome> => {
  const done = await server.ktadmin(['cert', 'show', ...args]);
  return { ...done, stderr: withoutDrop(done.stderr) };
};
const json = async () => JSON.parse((await show('--json')).stdout);

/** One thing that openssl says of a certificate. */
async function openssl(name: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('openssl', ['x509', '-in', ssl(name), '-noout', ...args]);
  return stdout.trim().replace(/^[^=]*= ?/, '');
}

const iso = (text: string) => `${new Date(text).toISOString().slice(0, 19)}Z`;

test('without a server it shows what is configured, in the words of openssl', async () => {
  const name = 'ssl-cert-keytrustee.pem';
  const [from, to] = [await openssl(name, '-startdate'), await openssl(name, '-enddate')];
  const days = Math.floor((Date.parse(to) - Date.now()) / 86_400_000);
  const stdout = `configured in keytrustee.conf
  certificate     ${ssl(name)}
  private key     ${ssl('ssl-cert-keytrustee-pk.pem')}
  request         none waits
  kept            0 earlier

the certificate
  subject         CN=kts01.example.com, emailAddress=keytrustee@kts01.example.com
  names           kts01.example.com
  issuer          itself
  validity        ${days} days left
  from            ${iso(from)}
  to              ${iso(to)}
  key             RSA 2048
  serial          ${await openssl(name, '-serial')}
  SHA-256         ${await openssl(name, '-fingerprint', '-sha256')}
  SHA-1           ${await openssl(name, '-fingerprint', '-sha1')}

presented
  no server that answers runs here
`;
  expect(await show()).toEqual({ status: 0, signal: null, stdout, stderr: '' });
  expect(await json()).toMatchObject({ presented: [], agrees: null, warnings: [] });
});

test('a request that waits and certificates that are kept are counted; the key is not opened', async () => {
  await mkdir(ssl('pending'), { recursive: true });
  await writeFile(ssl('pending/request.csr'), 'a request');
  const key = ssl('ssl-cert-keytrustee-pk.pem');
  const settings = { SSL_CERTIFICATE: ssl('ssl-cert-keytrustee.pem'), SSL_PRIVATE_KEY: key };
  for (const name of ['kept-2026-11-20T00-00-00Z', 'kept-2026-11-21T00-00-00Z', '2026-11-22T00-00-00Z']) {
    await mkdir(ssl(name));
    await writeFile(ssl(`${name}/settings.json`), JSON.stringify({ settings }));
    for (const path of Object.values(settings)) await run('cp', ['-a', path, ssl(name)]);
  }
  // Nobody could go back to these.
  for (const name of ['kept-2026-11-19T00-00-00Z', 'kept-by-hand']) await mkdir(ssl(name));
  const before = await readFile(key);
  await writeFile(key, 'no key at all');
  await configure(server, { SSL_PRIVATE_KEY_PASSWORD_SCRIPT: '/bin/echo -n s3cr3t' });
  const { configured, warnings } = await json();
  expect(configured).toMatchObject({ pending: ssl('pending/request.csr'), kept: 2, hasPasswordScript: true });
  expect(warnings).toEqual([]);
  const { stdout, stderr } = await show();
  expect(stdout).toContain(`  private key     ${key} (opened by a password script)\n`);
  expect(stdout).toContain(`  request         ${ssl('pending/request.csr')}\n  kept            2 earlier\n`);
  expect(stdout + stderr).not.toContain('s3cr3t');
  await writeFile(key, before);
  await configure(server, { SSL_PRIVATE_KEY_PASSWORD_SCRIPT: undefined });
});

test('what cannot be read is said, and the rest is shown', async () => {
  const own = ssl('ssl-cert-keytrustee.pem');
  const warning = (text: string) => `ktadmin: warning: ${text}\n`;
  await configure(server, { SSL_CA_CERTIFICATE: ssl('nowhere.pem'), SSL_PRIVATE_KEY: ssl('no-key.pem') });
  const half = await show();
  expect(half).toMatchObject({ status: 0, stdout: expect.stringContaining('  key             RSA 2048\n') });
  expect(half.stdout).toContain(`  authorities     ${ssl('nowhere.pem')}\n`);
  const missing = `SSL_PRIVATE_KEY ${ssl('no-key.pem')} is missing`;
  expect(half.stderr).toBe(warning(`SSL_CA_CERTIFICATE ${ssl('nowhere.pem')} is missing`) + warning(missing));
  await writeFile(ssl('broken.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  await configure(server, { SSL_CERTIFICATE: ssl('broken.pem'), SSL_CA_CERTIFICATE: undefined });
  const broken = await show();
  expect(broken).toMatchObject({ status: 0, stdout: expect.not.stringContaining('the certificate\n') });
  expect(broken.stderr).toBe(
    warning(`SSL_CERTIFICATE ${ssl('broken.pem')} is no certificate in PEM form`) + warning(missing),
  );
  await configure(server, { SSL_CERTIFICATE: own, SSL_PRIVATE_KEY: ssl('ssl-cert-keytrustee-pk.pem') });
});

test('another server at its port is not taken for this one', async () => {
  const [cert, key] = [
    await readFile(ssl('ssl-cert-keytrustee.pem')),
    await readFile(ssl('ssl-cert-keytrustee-pk.pem')),
  ];
  const other = createServer({ cert, key });
  await new Promise<void>((resolve) => {
    other.listen(free, '127.0.0.1', resolve);
  });
  onTestFinished(() => void other.close());
  const { stderr, stdout } = await show();
  const name = 'CN=kts01.example.com, emailAddress=keytrustee@kts01.example.com';
  expect(stderr).toBe(
    `ktadmin: warning: no server runs with this configuration; what listens on port ${free} is another, and presents ${name}\n`,
  );
  expect(stdout).toContain('  no server that answers runs here\n');
});

test.runIf(isRoot)('a private key that its account may not read is a fault', async () => {
  const key = ssl('theirs.key');
  await writeFile(key, 'theirs', { mode: 0o600 });
  await configure(server, { SSL_PRIVATE_KEY: key });
  expect((await json()).configured.faults).toEqual([`SSL_PRIVATE_KEY ${key} may not be read`]);
  await configure(server, { SSL_PRIVATE_KEY: ssl('ssl-cert-keytrustee-pk.pem') });
});
