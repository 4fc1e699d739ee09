/** `cert request`: what it makes, as OpenSSL and an authority made with it see it, and that no key is lost. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chown, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { keyFingerprint } from '../../../src/lib/tls/new-key.ts';
import { refusal, said } from '../../support/refusal.ts';
import { isRoot, run, type TestServer, testServer, world } from '../../support/sandbox.ts';

let server: TestServer;
let ssl = '';
let pending = '';
let key = '';
const DISCARD = '--discard-pending removes it; what an authority makes of its request is of no use then';
const request = (...args: string[]) => server.ktadmin(['cert', 'request', ...args]);

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  server = await testServer({ start: false, atEnd: (cleanUp) => cleanUps.push(cleanUp) });
  ssl = join(server.confdir, '.ssl');
  pending = join(ssl, 'pending');
  key = join(pending, 'ssl-cert-keytrustee-pk.pem');
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

beforeEach(() => rm(pending, { recursive: true, force: true }));

async function openssl(args: string[], input = ''): Promise<string> {
  const done = await run('openssl', args, { input });
  if (done.status !== 0) throw new Error(done.stderr);
  return done.stdout;
}

const fingerprintOf = async (path: string) => keyFingerprint(createPrivateKey(await readFile(path)));

/** Modes, owners and names below the directory of certificates, sorted. */
async function listing(): Promise<string[]> {
  const found = await run('find', [ssl, '-mindepth', '1', '-printf', '%M %u %P\\n']);
  const { name } = world.account;
  return found.stdout
    .trim()
    .split('\n')
    .toSorted()
    .map((line) => line.replace(isRoot ? ` ${name} ` : / \S+ /, ' '));
}

const IN_USE = ['-rw------- ssl-cert-keytrustee-pk.pem', '-rw------- ssl-cert-keytrustee.pem'];

test('a request of a new key, which an authority signs, and the key in use stays in use', async () => {
  const inUse = await fingerprintOf(join(ssl, 'ssl-cert-keytrustee-pk.pem'));
  const made = said(await request('--san', '*.example.com', '--san', '192.0.2.7'));
  expect(made).toEqual({
    status: 0,
    stdout: await readFile(join(pending, 'request.csr'), 'utf8'),
    stderr: [
      'a request for kts01.example.com, *.example.com, 192.0.2.7',
      `new key, which waits in ${key} (rsa2048)`,
      `SHA-256 of its public half: ${await fingerprintOf(key)}`,
      'when the authority has signed it: ktadmin cert rotate --cert FILE --pending\n',
    ].join('\n'),
  });
  expect(await listing()).toEqual([
    '-rw------- pending/request.csr',
    '-rw------- pending/ssl-cert-keytrustee-pk.pem',
    ...IN_USE,
    'drwx------ pending',
  ]);
  expect(await fingerprintOf(join(ssl, 'ssl-cert-keytrustee-pk.pem'))).toBe(inUse);
  const ca = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=CA'];
  const [caKey, caFile] = [join(server.directory, 'ca.key'), join(server.directory, 'ca.pem')];
  await openssl([...ca, '-keyout', caKey, '-out', caFile]);
  const sign = ['x509', '-req', '-CA', caFile, '-CAkey', caKey, '-days', '9', '-copy_extensions', 'copy'];
  const certificate = new X509Certificate(await openssl(sign, made.stdout));
  expect(certificate.checkPrivateKey(createPrivateKey(await readFile(key)))).toBe(true);
  expect(certificate.subject).toBe('CN=kts01.example.com');
  expect(certificate.subjectAltName).toBe('DNS:kts01.example.com, DNS:*.example.com, IP Address:192.0.2.7');
});

test('asked again, it makes a request of the key that waits; another kind is refused until that is given up', async () => {
  expect((await request('--new-key', 'p256', '--quiet')).status).toBe(0);
  const first = await fingerprintOf(key);
  const again = await request('--json', '--san', 'bücher.example');
  const told = JSON.parse(again.stdout) as { request: string };
  expect(told).toEqual({
    request: await readFile(join(pending, 'request.csr'), 'utf8'),
    path: join(pending, 'request.csr'),
    names: ['kts01.example.com', 'xn--bcher-kva.example'],
    key: { kind: 'p256', fingerprint: first, origin: 'pending', path: key },
  });
  expect(await openssl(['req', '-verify', '-noout', '-pubkey'], told.request)).toBe(
    await openssl(['pkey', '-in', key, '-pubout']),
  );
  expect((await request('--new-key', 'p256', '--quiet')).status).toBe(0);
  expect(await fingerprintOf(key)).toBe(first);
  expect(said(await request('--new-key', 'rsa2048'))).toEqual(
    refusal(6, `a key of another kind waits already: ${key} (p256)`, DISCARD),
  );
  expect(await fingerprintOf(key)).toBe(first);
  const other = await request('--new-key', 'p384', '--discard-pending');
  expect(other.stderr).toContain(
    `removed the key that waited (${first})\nnew key, which waits in ${key} (p384)`,
  );
  const trail = (await server.ktadmin(['audit', 'show', '--quiet'])).stdout.trim().split('\n');
  expect(trail.at(-1)?.split(/ {2,}/).slice(1).join('  ')).toBe(
    `certificate.request  account:${isRoot ? 'root' : world.account.name}  local  names=kts01.example.com  key=p384  fingerprint=${await fingerprintOf(key)}  origin=new  discarded=${first}`,
  );
});

test('a key that waits and cannot be opened is told, and removed where that is said', async () => {
  expect((await request('--new-key', 'p256', '--quiet')).status).toBe(0);
  await writeFile(key, 'garbage\n');
  expect(said(await request())).toEqual(refusal(6, `${key} is no private key that can be opened`, DISCARD));
  expect((await request('--new-key', 'p256', '--quiet', '--discard-pending')).status).toBe(0);
  expect(createPrivateKey(await readFile(key)).asymmetricKeyType).toBe('ec');
});

test('with --reuse-key the key in use is opened by its password script, and none waits', async () => {
  const own = await testServer({ start: false });
  const place = join(own.confdir, '.ssl/ssl-cert-keytrustee-pk.pem');
  const inUse = await fingerprintOf(place);
  await openssl(['pkey', '-in', place, '-aes256', '-passout', 'pass:secret', '-out', `${place}.new`]);
  await run('cp', [`${place}.new`, place]);
  await rm(`${place}.new`);
  const conf = join(own.confdir, 'keytrustee.conf');
  const settings = JSON.parse(await readFile(conf, 'utf8')) as object;
  const script = { SSL_PRIVATE_KEY_PASSWORD_SCRIPT: '/bin/echo -n secret' };
  await writeFile(conf, JSON.stringify({ ...settings, ...script }));
  const made = said(await own.ktadmin(['cert', 'request', '--reuse-key']));
  expect(made).toMatchObject({
    status: 0,
    stderr: [
      'a request for kts01.example.com',
      `the key in use, ${place} (rsa2048)`,
      `SHA-256 of its public half: ${inUse}`,
      'when the authority has signed it: ktadmin cert rotate --cert FILE\n',
    ].join('\n'),
  });
  expect(await openssl(['req', '-verify', '-noout', '-pubkey'], made.stdout)).toBe(
    await openssl(['pkey', '-in', place, '-passin', 'pass:secret', '-pubout']),
  );
  const names = await run('ls', ['-A', join(own.confdir, '.ssl/pending')]);
  expect(names.stdout).toBe('request.csr\n');
  await writeFile(place, await openssl(['genrsa', '1024']));
  if (isRoot) await chown(place, world.account.uid, world.account.gid);
  expect(said(await own.ktadmin(['cert', 'request', '--reuse-key']))).toEqual(
    refusal(
      8,
      'the key in use has only 1024 bits, and no authority signs that',
      'leave --reuse-key out, and a new key is made',
    ),
  );
});

test('what contradicts itself is refused before anything is made', async () => {
  const before = await listing();
  expect(said(await request('--new-key', 'p256', '--reuse-key'))).toEqual(
    refusal(2, '--new-key and --reuse-key exclude each other'),
  );
  expect(said(await request('--new-key', 'dsa'))).toEqual(
    refusal(2, '--new-key: "dsa" is none of rsa2048, rsa4096, p256, p384'),
  );
  expect(said(await request('--san', 'a_b.example.com'))).toEqual(
    refusal(
      2,
      '--san: "a_b.example.com" is no name for a certificate',
      'give a host like kts01.example.com, *.example.com, or an IPv4 or IPv6 address',
    ),
  );
  expect(await listing()).toEqual(before);
});
