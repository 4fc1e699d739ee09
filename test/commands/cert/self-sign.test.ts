/** `cert self-sign`: what OpenSSL and curl say of the certificate, and that no key that waits is lost. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { keyFingerprint } from '../../../src/lib/tls/new-key.ts';
import { give } from '../../support/faults.ts';
import { refusal, said } from '../../support/refusal.ts';
import { run, type TestServer, testServer, world } from '../../support/sandbox.ts';

let server: TestServer;
let ssl = '';
let pending = '';
let key = '';
let certificate = '';
const selfSign = (...args: string[]) => server.ktadmin(['cert', 'self-sign', ...args]);

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  server = await testServer({ start: false, atEnd: (cleanUp) => cleanUps.push(cleanUp) });
  ssl = join(server.confdir, '.ssl');
  pending = join(ssl, 'pending');
  key = join(pending, 'ssl-cert-keytrustee-pk.pem');
  certificate = join(pending, 'ssl-cert-keytrustee.pem');
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

beforeEach(() => rm(pending, { recursive: true, force: true }));

const fingerprintOf = async (path: string) => keyFingerprint(createPrivateKey(await readFile(path)));

/** What curl says of a server with the pair that waits, when it trusts that certificate alone. */
async function curl(host: string): Promise<string> {
  const pair = { cert: await readFile(certificate), key: await readFile(key) };
  const serving = createServer(pair, (_, answer) => answer.end('reached\n'));
  await new Promise<void>((resolve) => serving.listen(0, '127.0.0.1', () => resolve()));
  onTestFinished(() => void serving.close());
  const { port } = serving.address() as AddressInfo;
  const where = ['--resolve', `${host}:${port}:127.0.0.1`, `https://${host}:${port}/`];
  const { stdout, stderr } = await run('curl', ['-sS', '--cacert', certificate, ...where]);
  return stdout + stderr;
}

test('a new key and its certificate wait; OpenSSL and curl accept it by its names alone', async () => {
  const inUse = await readFile(join(ssl, 'ssl-cert-keytrustee.pem'), 'utf8');
  const made = said(await selfSign('--new-key', 'p256', '--san', 'kts.example.org'));
  const own = new X509Certificate(await readFile(certificate));
  expect(made).toEqual({
    status: 0,
    stdout: `${certificate}\n`,
    stderr: [
      `a self-signed certificate for kts01.example.com, kts.example.org, valid until ${own.validTo}`,
      `SHA-256 of the certificate: ${own.fingerprint256}`,
      `new key, which waits in ${key} (p256)`,
      `SHA-256 of its public half: ${await fingerprintOf(key)}`,
      'to put it to use: ktadmin cert rotate --pending\n',
    ].join('\n'),
  });
  expect(Math.round((Date.parse(own.validTo) - Date.now()) / 86_400_000)).toBe(365);
  const modes = await run('stat', ['-c', '%a %U', pending, key, certificate]);
  const { name } = world.account;
  expect(modes.stdout).toBe(`700 ${name}\n600 ${name}\n600 ${name}\n`);
  expect(await readFile(join(ssl, 'ssl-cert-keytrustee.pem'), 'utf8')).toBe(inUse);
  const verified = await run('openssl', ['verify', '-CAfile', certificate, certificate]);
  expect(verified.stdout).toBe(`${certificate}: OK\n`);
  const checked = await run('openssl', [
    'x509',
    '-in',
    certificate,
    '-noout',
    '-checkhost',
    'kts.example.org',
  ]);
  expect(checked.stdout).toContain('does match certificate');
  expect(await curl('kts.example.org')).toBe('reached\n');
  expect(await curl('kts.example.net')).toContain(
    'no alternative certificate subject name matches target host name',
  );
});

test('the key that waits for an authority is used, never replaced', async () => {
  expect((await server.ktadmin(['cert', 'request', '--quiet'])).status).toBe(0);
  const first = await fingerprintOf(key);
  const told = JSON.parse((await selfSign('--json', '--days', '1')).stdout) as Record<string, unknown>;
  const own = new X509Certificate(await readFile(certificate));
  expect(told).toEqual({
    certificate: await readFile(certificate, 'utf8'),
    path: certificate,
    names: ['kts01.example.com'],
    fingerprint: own.fingerprint256,
    validTo: own.validTo,
    key: { kind: 'rsa2048', fingerprint: first, origin: 'pending', path: key },
  });
  expect(own.checkPrivateKey(createPrivateKey(await readFile(key)))).toBe(true);
  expect(said(await selfSign('--new-key', 'p384'))).toEqual(
    refusal(
      6,
      `a key of another kind waits already: ${key} (rsa2048)`,
      '--discard-pending removes it; what an authority makes of its request is of no use then',
    ),
  );
  expect(said(await selfSign('--reuse-key'))).toEqual(
    refusal(
      6,
      `${key} waits already: a key that is not the one in use`,
      'leave --reuse-key out to sign with that one, or give --discard-pending',
    ),
  );
  expect(await fingerprintOf(key)).toBe(first);
});

test('for the key in use only the certificate waits, and a new key is not put beside it', async () => {
  const place = join(ssl, 'ssl-cert-keytrustee-pk.pem');
  const made = said(await selfSign('--reuse-key'));
  expect(made.stderr).toContain(`the key in use, ${place} (rsa2048)\n`);
  const own = new X509Certificate(await readFile(certificate));
  expect(own.checkPrivateKey(createPrivateKey(await readFile(place)))).toBe(true);
  expect((await run('ls', ['-A', pending])).stdout).toBe('ssl-cert-keytrustee.pem\n');
  for (const verb of ['request', 'self-sign'])
    expect(said(await server.ktadmin(['cert', verb]))).toEqual(
      refusal(
        6,
        `${certificate} waits already: a self-signed certificate for the key in use`,
        'ktadmin cert rotate --pending puts it to use, and --discard-pending removes it',
      ),
    );
  expect((await selfSign('--discard-pending', '--quiet')).status).toBe(0);
  expect(await fingerprintOf(key)).not.toBe(await fingerprintOf(place));
});

test.each(['0', '3651', '1.5', '-1', 'x'])('%s days are refused', async (days) => {
  expect(said(await selfSign(`--days=${days}`))).toEqual(
    refusal(2, `--days: "${days}" is not a whole number from 1 to 3650`),
  );
});

test('init takes over an EC key that lies there without its certificate', async () => {
  const own = await testServer({ start: false });
  const place = join(own.confdir, '.ssl');
  const keyFile = join(place, 'ssl-cert-keytrustee-pk.pem');
  await rm(join(place, 'ssl-cert-keytrustee.pem'));
  const made = await run('openssl', ['ecparam', '-name', 'secp384r1', '-genkey', '-noout']);
  await writeFile(keyFile, made.stdout);
  await give(keyFile);
  expect(await own.ktadmin(['init', '--quiet'])).toMatchObject({ status: 0 });
  expect(await readFile(keyFile, 'utf8')).toBe(made.stdout);
  const certified = new X509Certificate(await readFile(join(place, 'ssl-cert-keytrustee.pem')));
  expect(certified.checkPrivateKey(createPrivateKey(made.stdout))).toBe(true);
});
