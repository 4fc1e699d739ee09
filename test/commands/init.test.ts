/** `ktadmin init`: what it makes, what it keeps, and what it completes. */
import { X509Certificate } from 'node:crypto';
import { cp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshPlace, placeWithKey } from '../support/fresh.ts';
import { descendants } from '../support/processes.ts';
import {
  asAccount,
  checksums,
  isRoot,
  kt,
  ownedDirectory,
  run,
  temporaryDirectory,
  testServer,
  until,
  withoutDrop,
  world,
} from '../support/sandbox.ts';

const CREATING = 'INFO:keytrustee.server.util:Creating self-signed cert\n';

/** Every entry below a directory but the inside of the data directory: type, mode, owner, relative path. */
async function entries(directory: string): Promise<string[]> {
  const format = '%y %m %u:%g %P\\n';
  const listed = await run('find', [directory, '-path', '*/data/*', '-prune', '-o', '-printf', format]);
  return listed.stdout.trim().split('\n').toSorted();
}

test('init makes a whole server, closed to others whatever the umask, and says so in the last line', async () => {
  const { directory, confdir, pgRootdir } = await freshPlace();
  const made = await run('sh', [
    '-c',
    'umask 000; exec "$@"',
    'sh',
    'ktadmin',
    'init',
    '--confdir',
    confdir,
    '--external-address',
    'kts01.example.com',
  ]);
  expect(withoutDrop(made.stderr)).toBe(CREATING);
  expect(made.stdout).toMatch(/^Initialized directory for 4096R\/[0-9A-F]{40}\n$/);
  expect(made.status).toBe(0);

  const { name, gid } = world.account;
  const group = (await run('getent', ['group', String(gid)])).stdout.split(':')[0];
  const shown = await entries(directory);
  const key = shown.filter((line) => /private-keys-v1.d\/[0-9A-F]{40}\.key$/.test(line));
  expect(key).toHaveLength(1);
  const owner = `${name}:${group}`;
  expect(shown.filter((line) => !key.includes(line))).toEqual(
    [
      `d 700 ${owner} `,
      `d 700 ${owner} .keytrustee`,
      `d 700 ${owner} .keytrustee/.replication`,
      `d 700 ${owner} .keytrustee/.ssl`,
      `d 700 ${owner} .keytrustee/private-keys-v1.d`,
      `d 700 ${owner} audit`,
      `d 700 ${owner} db`,
      `d 700 ${owner} db/data`,
      `d 700 ${owner} db/log`,
      `d 700 ${owner} db/replication`,
      `d 700 ${owner} db/run`,
      `f 600 ${owner} .keytrustee/.replication/authority-key.pem`,
      `f 600 ${owner} .keytrustee/.replication/authority.pem`,
      `f 600 ${owner} .keytrustee/.ssl/ssl-cert-keytrustee-pk.pem`,
      `f 600 ${owner} .keytrustee/.ssl/ssl-cert-keytrustee.pem`,
      `f 600 ${owner} .keytrustee/gpg.conf`,
      `f 600 ${owner} .keytrustee/keytrustee.conf`,
      `f 600 ${owner} .keytrustee/logging.conf`,
      `f 600 ${owner} .keytrustee/pubring.kbx`,
      `f 600 ${owner} audit/command.00000001.jsonl`,
      `f 600 ${owner} audit/command.head`,
      `f 600 ${owner} db/pg_hba.conf`,
      `f 600 ${owner} db/pg_ident.conf`,
      `f 600 ${owner} db/postgresql.conf`,
      `f 600 ${owner} db/replication.conf`,
      `f 600 ${owner} db/replication/authority.pem`,
      `f 600 ${owner} db/replication/certificate.pem`,
      `f 600 ${owner} db/replication/key.pem`,
      `f 600 ${owner} db/replication/node.json`,
    ].toSorted(),
  );
  expect(key[0]).toMatch(new RegExp(`^f 600 ${owner} `));
  const open = await run('find', [directory, '-perm', '/077']);
  expect(open.stdout).toBe('');
  expect(JSON.parse(await readFile(join(confdir, 'keytrustee.conf'), 'utf8'))).toEqual({
    LOCAL_FINGERPRINT: made.stdout.trim().split(' ').at(-1),
    EXTERNAL_ADDRESS: 'kts01.example.com',
    PORT: 11371,
    DB_PORT: 11381,
    PG_ROOTDIR: pgRootdir,
    SSL_CERTIFICATE: join(confdir, '.ssl/ssl-cert-keytrustee.pem'),
    SSL_PRIVATE_KEY: join(confdir, '.ssl/ssl-cert-keytrustee-pk.pem'),
  });
});

test('what init makes is closed to others under umask 022 too', async () => {
  const { directory, confdir } = await placeWithKey();
  const made = await run('sh', [
    '-c',
    'umask 022; exec "$@"',
    'sh',
    'ktadmin',
    'init',
    '--confdir',
    confdir,
    '--external-address',
    'kts01.example.com',
  ]);
  expect(made).toMatchObject({ status: 0 });
  const open = await run('find', [directory, '-perm', '/077']);
  expect(open.stdout).toBe('');
  expect((await run('find', [confdir, '-name', 'keytrustee.conf'])).stdout).not.toBe('');
});

test('init twice changes no file, and makes no stray db where the cluster lies elsewhere', async () => {
  const { directory, confdir, pgRootdir, init } = await placeWithKey();
  const first = await init(['--pg-rootdir', join(directory, 'pg')]);
  expect(first.status).toBe(0);
  const before = await checksums(directory);
  const entriesBefore = await entries(directory);
  const second = await init();
  expect(second).toEqual({ ...first, stderr: first.stderr.replace(CREATING, '') });
  expect(await checksums(directory)).toBe(before);
  expect(await entries(directory)).toEqual(entriesBefore);
  expect(before).toContain(join(confdir, 'keytrustee.conf'));
  await expect(stat(pgRootdir)).rejects.toThrow('ENOENT');
});

test('the server’s key is RSA 4096 without a passphrase, and plain gpg signs and verifies with it', async () => {
  const server = await testServer({ start: false });
  const home = await ownedDirectory(await temporaryDirectory(), 'g');
  for (const name of ['pubring.kbx', 'private-keys-v1.d', 'gpg.conf'])
    await cp(join(server.confdir, name), join(home, name), { recursive: true });
  if (isRoot) await run('chown', ['-R', `${world.account.uid}:${world.account.gid}`, home]);
  const listed = await asAccount('gpg', ['--homedir', home, '--with-colons', '--list-secret-keys']);
  const records = listed.stdout.split('\n').map((line) => line.split(':'));
  const [secret] = records.filter(([type]) => type === 'sec');
  expect(secret?.slice(2, 4)).toEqual(['4096', '1']);
  expect(secret?.[6]).toBe('');
  expect(records.find(([type]) => type === 'fpr')?.[9]).toBe(server.fingerprint.split('/')[1]);
  expect(records.find(([type]) => type === 'uid')?.[9]).toBe(
    'Key Trustee Server kts01.example.com <keytrustee@kts01.example.com>',
  );
  const signed = await asAccount('gpg', ['--homedir', home, '--batch', '--clearsign'], { input: 'a text\n' });
  expect(signed.status).toBe(0);
  const verified = await asAccount('gpg', ['--homedir', home, '--batch', '--status-fd', '1', '--verify'], {
    input: signed.stdout,
  });
  await asAccount('gpgconf', ['--homedir', home, '--kill', 'all']);
  expect(verified.stdout).toContain(`VALIDSIG ${server.fingerprint.split('/')[1]}`);
});

test('the certificate is the host’s own for ten years, and the private key belongs to it', async () => {
  const { confdir } = await testServer({ start: false });
  const file = join(confdir, '.ssl/ssl-cert-keytrustee.pem');
  const ask = (...args: string[]) => run('openssl', ['x509', '-in', file, '-noout', ...args]);
  expect((await ask('-subject', '-issuer', '-nameopt', 'RFC2253')).stdout).toBe(
    'subject=emailAddress=keytrustee@kts01.example.com,CN=kts01.example.com\nissuer=emailAddress=keytrustee@kts01.example.com,CN=kts01.example.com\n',
  );
  const extensions = await ask('-ext', 'subjectAltName,extendedKeyUsage,basicConstraints,keyUsage');
  expect(extensions.stdout.replaceAll(/ +\n/g, '\n')).toBe(`X509v3 Basic Constraints: critical
    CA:FALSE
X509v3 Key Usage: critical
    Digital Signature, Key Encipherment
X509v3 Extended Key Usage:
    TLS Web Server Authentication
X509v3 Subject Alternative Name:
    DNS:kts01.example.com
`);
  const { validFrom, validTo } = new X509Certificate(await readFile(file));
  const hours = (Date.parse(validTo) - Date.parse(validFrom)) / 3_600_000;
  // It begins an hour ago, because clocks differ.
  expect(hours).toBe(3650 * 24 + 1);
  expect((await ask('-checkhost', 'kts01.example.com')).stdout).toContain('does match');
  const ofCertificate = await ask('-pubkey');
  const ofKey = await run('openssl', [
    'pkey',
    '-in',
    join(confdir, '.ssl/ssl-cert-keytrustee-pk.pem'),
    '-pubout',
  ]);
  expect(ofKey.stdout).toContain('BEGIN PUBLIC KEY');
  expect(ofCertificate.stdout).toBe(ofKey.stdout);
  const verified = await run('openssl', ['verify', '-CAfile', file, '-purpose', 'sslserver', file]);
  expect(verified.status).toBe(0);
});

test('where only .ssl is missing, init makes only that', async () => {
  const { directory, confdir, ktadmin } = await testServer({ start: false });
  const old = await readFile(join(confdir, '.ssl/ssl-cert-keytrustee.pem'), 'utf8');
  await rm(join(confdir, '.ssl'), { recursive: true });
  const before = await checksums(directory);
  const made = await ktadmin(['init']);
  expect(withoutDrop(made.stderr)).toBe(CREATING);
  expect(made.status).toBe(0);
  const added = (await checksums(directory)).split('\n').filter((line) => !before.includes(line));
  expect(added.map((line) => line.slice(66)).toSorted()).toEqual([
    join(confdir, '.ssl/ssl-cert-keytrustee-pk.pem'),
    join(confdir, '.ssl/ssl-cert-keytrustee.pem'),
  ]);
  expect(await readFile(join(confdir, '.ssl/ssl-cert-keytrustee.pem'), 'utf8')).not.toBe(old);
});

test('where the certificate alone is missing, it is made anew for the key that is there', async () => {
  const { confdir, ktadmin } = await testServer({ start: false });
  const [key, certificate] = ['ssl-cert-keytrustee-pk.pem', 'ssl-cert-keytrustee.pem'].map((name) =>
    join(confdir, '.ssl', name),
  ) as [string, string];
  await rm(certificate);
  // The form in which OpenSSL 1 wrote keys.
  await run('openssl', ['rsa', '-traditional', '-in', key, '-out', key]);
  const before = await readFile(key, 'utf8');
  expect(before).toContain('BEGIN RSA PRIVATE KEY');
  expect(await ktadmin(['init'])).toMatchObject({ status: 0 });
  expect(await readFile(key, 'utf8')).toBe(before);
  const ofKey = await run('openssl', ['pkey', '-in', key, '-pubout']);
  const ofCertificate = await run('openssl', ['x509', '-in', certificate, '-noout', '-pubkey']);
  expect(ofCertificate.stdout).toBe(ofKey.stdout);
});

test('a key without keytrustee.conf is adopted', async () => {
  const { confdir, fingerprint, ktadmin, pgRootdir } = await testServer({ start: false });
  await rm(join(confdir, 'keytrustee.conf'));
  const made = await ktadmin([
    'init',
    '--external-address',
    'kts02.example.com',
    '--port',
    '12371',
    '--database-port',
    '12381',
  ]);
  expect(made).toMatchObject({ status: 0, stdout: `Initialized directory for ${fingerprint}\n` });
  expect(JSON.parse(await readFile(join(confdir, 'keytrustee.conf'), 'utf8'))).toMatchObject({
    LOCAL_FINGERPRINT: fingerprint,
    EXTERNAL_ADDRESS: 'kts02.example.com',
    PORT: 12371,
    DB_PORT: 12381,
    PG_ROOTDIR: pgRootdir,
  });
});

test('a configuration copied from the active server without .ssl keeps its fingerprint, and gets a name and certificate of its own', async () => {
  const active = await testServer({ start: false });
  const directory = await temporaryDirectory();
  const confdir = join(directory, '.keytrustee');
  await run('cp', ['-a', active.confdir, confdir]);
  await rm(join(confdir, '.ssl'), { recursive: true });
  const conf = join(confdir, 'keytrustee.conf');
  await writeFile(conf, (await readFile(conf, 'utf8')).replaceAll(active.directory, directory));
  const made = await kt('ktadmin', ['init', '--confdir', confdir, '--external-address', 'kts02.example.com']);
  const copied =
    "Settings are a copy of another server's: EXTERNAL_ADDRESS was kts01.example.com, is kts02.example.com";
  expect(withoutDrop(made.stderr)).toBe(`INFO:keytrustee.server.util:${copied}\n${CREATING}`);
  expect(made).toMatchObject({ status: 0, stdout: `Initialized directory for ${active.fingerprint}\n` });
  const { EXTERNAL_ADDRESS, SSL_CERTIFICATE } = JSON.parse(await readFile(conf, 'utf8'));
  expect(EXTERNAL_ADDRESS).toBe('kts02.example.com');
  expect(new X509Certificate(await readFile(SSL_CERTIFICATE)).checkHost('kts02.example.com')).toBeDefined();
  const authority = (place: string) => readFile(join(place, '.replication/authority.pem'), 'utf8');
  expect(await authority(confdir)).toBe(await authority(active.confdir));
  expect((await kt('ktadmin', ['config', 'check', '--confdir', confdir])).status).toBe(0);
});

test('options that contradict keytrustee.conf are named and not used', async () => {
  const { directory, confdir, pgRootdir, port, ktadmin } = await testServer({ start: false });
  const before = await checksums(directory);
  const other = join(directory, 'other');
  const options = [
    '--external-address',
    'kts02.example.com',
    '--port',
    '1',
    '--database-port',
    '2',
    '--pg-rootdir',
    other,
  ];
  const made = await ktadmin(['init', ...options]);
  const line = (text: string) => `WARNING:keytrustee.server.util:${text}\n`;
  expect(withoutDrop(made.stderr)).toBe(
    line(
      '--external-address kts02.example.com is not used: keytrustee.conf has EXTERNAL_ADDRESS kts01.example.com',
    ) +
      line('--port 1 is not used: keytrustee.conf has PORT 11371') +
      line(`--database-port 2 is not used: keytrustee.conf has DB_PORT ${port}`) +
      line(`--pg-rootdir ${other} is not used: keytrustee.conf has PG_ROOTDIR ${pgRootdir}`),
  );
  expect(made.status).toBe(0);
  expect(await checksums(directory)).toBe(before);
  await expect(stat(other)).rejects.toThrow('ENOENT');
  const same = await ktadmin([
    'init',
    '--external-address',
    'kts01.example.com',
    '--database-port',
    String(port),
    '--pg-rootdir',
    pgRootdir,
  ]);
  expect(withoutDrop(same.stderr)).toBe('');
  expect(confdir).not.toBe('');
});

test('init --json says what was made', async () => {
  const { fingerprint, confdir, ktadmin } = await testServer({ start: false });
  await rm(join(confdir, '.ssl'), { recursive: true });
  const made = await ktadmin(['init', '--json', '--quiet']);
  expect(made.stderr).toBe('');
  expect(JSON.parse(made.stdout)).toEqual({
    fingerprint,
    made: { key: false, configuration: false, certificate: true, database: false },
  });
});

test('without a name and without a terminal init takes the host’s name and never asks', async () => {
  const { confdir } = await placeWithKey();
  const made = await run('sh', ['-c', 'exec ktadmin init --confdir "$1" </dev/null', 'sh', confdir]);
  expect(withoutDrop(made.stderr)).toBe(CREATING);
  expect(made.status).toBe(0);
  const { stdout: name } = await run('hostname', []);
  expect(JSON.parse(await readFile(join(confdir, 'keytrustee.conf'), 'utf8'))).toMatchObject({
    EXTERNAL_ADDRESS: name.trim(),
  });
});

test('an address instead of a name stands in the certificate as an address', async () => {
  const { confdir, init } = await placeWithKey();
  expect(await init(['--external-address', '192.0.2.7'])).toMatchObject({ status: 0 });
  const shown = await run('openssl', [
    'x509',
    '-in',
    join(confdir, '.ssl/ssl-cert-keytrustee.pem'),
    '-noout',
    '-ext',
    'subjectAltName',
  ]);
  expect(shown.stdout).toContain('IP Address:192.0.2.7');
});

test('two runs at once make one server: one does it, the other says that it is being done', async () => {
  const { confdir, init } = await freshPlace();
  let first = 0;
  const making = init([], { started: ({ pid }) => (first = pid) });
  const gpg = async () => (await descendants(first)).find(({ words }) => words.includes('--generate-key'));
  await until(async () => (await gpg()) !== undefined, 'the key is being made');
  const { pid = 0 } = (await gpg()) ?? {};
  process.kill(pid, 'SIGSTOP');
  const second = await init().finally(() => process.kill(pid, 'SIGCONT'));
  expect(withoutDrop(second.stderr)).toBe(
    `ktadmin: error: another init is at work in ${confdir}\nktadmin: hint: wait until it has ended\n`,
  );
  expect(second.status).toBe(75);
  const made = await making;
  expect(made.status).toBe(0);
  expect(await init()).toMatchObject({ status: 0, stdout: made.stdout });
  expect((await kt('ktadmin', ['config', 'check', '--confdir', confdir])).status).toBe(0);
});
