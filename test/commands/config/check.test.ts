/** `ktadmin config check`: each fault, and all at once. */
import { chmod, chown, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { refusal, said } from '../../support/refusal.ts';
import { checksums, isRoot, run, type TestServer, testServer } from '../../support/sandbox.ts';

async function change(server: TestServer, settings: Record<string, unknown>): Promise<void> {
  const file = join(server.confdir, 'keytrustee.conf');
  const written = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...written, ...settings }));
}

/** What check says of a server with these faults. */
function faults(server: TestServer, ...lines: string[]) {
  return refusal(
    1,
    `${server.confdir}/keytrustee.conf has faults:\n${lines.map((line) => `  ${line}`).join('\n')}`,
  );
}

function files({ confdir }: TestServer) {
  return {
    conf: join(confdir, 'keytrustee.conf'),
    certificate: join(confdir, '.ssl/ssl-cert-keytrustee.pem'),
    key: join(confdir, '.ssl/ssl-cert-keytrustee-pk.pem'),
    secretKeys: join(confdir, 'private-keys-v1.d'),
  };
}

test('a server as init made it has no faults, and checking changes nothing', async () => {
  const server = await testServer({ start: false });
  const before = await checksums(server.directory);
  expect(said(await server.ktadmin(['config', 'check']))).toEqual({
    status: 0,
    stdout: '',
    stderr: 'no faults\n',
  });
  const asJson = await server.ktadmin(['config', 'check', '--json']);
  expect(JSON.parse(asJson.stdout)).toEqual({ faults: [], warnings: [] });
  expect(await checksums(server.directory)).toBe(before);
});

test.each([
  ['EXTERNAL_ADRESS', 'EXTERNAL_ADDRESS'],
  ['DB-PORT', 'DB_PORT'],
  ['SslCertificate', 'SSL_CERTIFICATE'],
  ['PGROOTDIR', 'PG_ROOTDIR'],
])('the unknown setting %s brings %s to mind', async (typed, meant) => {
  const server = await testServer({ start: false });
  await change(server, { [typed]: 'x' });
  expect(said(await server.ktadmin(['config', 'check']))).toEqual({
    status: 0,
    stdout: '',
    stderr: `ktadmin: warning: ${typed} is not a setting that this version knows (is ${meant} meant?)\nno faults\n`,
  });
});

test('an unknown setting that resembles none is named all the same', async () => {
  const server = await testServer({ start: false });
  await change(server, { MAIL_HOST: 'x' });
  expect(said(await server.ktadmin(['config', 'check'])).stderr).toBe(
    'ktadmin: warning: MAIL_HOST is not a setting that this version knows\nno faults\n',
  );
});

test('wrong values are all named at once, and none is quoted', async () => {
  const server = await testServer({ start: false });
  const wrong = {
    PORT: 's3cr3t',
    DB_PORT: 0,
    PG_ROOTDIR: '',
    EXTERNAL_ADDRESS: 'a b',
    SSL_PRIVATE_KEY_PASSWORD_SCRIPT: 5,
  };
  await change(server, { ...wrong, LOCAL_FINGERPRINT: undefined });
  const rule = 'must be a whole number from 1 to 65535, without quotes';
  expect(said(await server.ktadmin(['config', 'check']))).toEqual(
    faults(
      server,
      'LOCAL_FINGERPRINT is missing: it must look like 4096R/<40 hex digits>',
      'EXTERNAL_ADDRESS must be a host name',
      `PORT ${rule}`,
      `DB_PORT ${rule}`,
      'PG_ROOTDIR must be an absolute path',
      'SSL_PRIVATE_KEY_PASSWORD_SCRIPT must be a command of 1 to 4096 characters',
    ),
  );
});

test('files and directories that are open to others are named with what closes them', async () => {
  const server = await testServer({ start: false });
  const { conf, key, secretKeys } = files(server);
  await chmod(conf, 0o640);
  await chmod(key, 0o604);
  await chmod(secretKeys, 0o750);
  const ssl = join(server.confdir, '.ssl');
  await chmod(ssl, 0o711);
  const open = (path: string, mode: number) => `${path} is open to other accounts: chmod ${mode} ${path}`;
  expect(said(await server.ktadmin(['config', 'check']))).toEqual(
    faults(server, open(conf, 600), open(secretKeys, 700), open(ssl, 700), open(key, 600)),
  );
});

test('a key of mode 0400, as automation installs it, is well', async () => {
  const server = await testServer({ start: false });
  const { certificate, key } = files(server);
  await chmod(certificate, 0o400);
  await chmod(key, 0o400);
  expect(await server.ktadmin(['config', 'check'])).toMatchObject({ status: 0 });
});

test('a key that is not the certificate’s is named', async () => {
  const server = await testServer({ start: false });
  const other = await run('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']);
  await writeFile(files(server).key, other.stdout);
  expect(said(await server.ktadmin(['config', 'check']))).toEqual(
    faults(server, 'SSL_PRIVATE_KEY does not belong to SSL_CERTIFICATE'),
  );
});

test('files that are missing or no PEM are named', async () => {
  const server = await testServer({ start: false });
  const { certificate, key } = files(server);
  await writeFile(certificate, 'garbage');
  await rm(key);
  expect(said(await server.ktadmin(['config', 'check']))).toEqual(
    faults(
      server,
      `SSL_PRIVATE_KEY ${key} is missing`,
      `SSL_CERTIFICATE ${certificate} is no certificate in PEM form`,
    ),
  );
});

test('a key with a password needs SSL_PRIVATE_KEY_PASSWORD_SCRIPT', async () => {
  const server = await testServer({ start: false });
  const { key } = files(server);
  const locked = await run('openssl', ['pkey', '-in', key, '-aes256', '-passout', 'pass:x']);
  await writeFile(key, locked.stdout);
  expect(said(await server.ktadmin(['config', 'check']))).toEqual(
    faults(server, `SSL_PRIVATE_KEY ${key} has a password`),
  );
  await change(server, { SSL_PRIVATE_KEY_PASSWORD_SCRIPT: '/bin/echo -n x' });
  expect(await server.ktadmin(['config', 'check'])).toMatchObject({ status: 0 });
});

test.skipIf(!isRoot)('a key that the account may not read is named', async () => {
  const server = await testServer({ start: false });
  const { key } = files(server);
  await chown(key, 0, 0);
  expect(said(await server.ktadmin(['config', 'check']))).toEqual(
    faults(server, `SSL_PRIVATE_KEY ${key} may not be read`),
  );
});

test.each([
  ['-2', 'expired on'],
  ['+2', 'is valid only from'],
])('a certificate whose time is %s years away is named', async (years, words) => {
  const server = await testServer({ start: false });
  const { certificate, key } = files(server);
  const date = async (of: string) => (await run('date', ['-u', '-d', of, '+%y%m%d%H%M%SZ'])).stdout.trim();
  const [from, to] = [await date(`${years} years`), await date(`${years} years 1 day`)];
  const config = join(server.directory, 'ca');
  await writeFile(
    config,
    `[ca]\ndefault_ca=d\n[d]\ndatabase=${config}.db\nserial=${config}.srl\nnew_certs_dir=${server.directory}\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n`,
  );
  await writeFile(`${config}.db`, '');
  const request = join(server.directory, 'csr');
  await run('openssl', ['req', '-new', '-key', key, '-subj', '/CN=a', '-out', request]);
  const sign = [
    'ca',
    '-batch',
    '-selfsign',
    '-config',
    config,
    '-keyfile',
    key,
    '-in',
    request,
    '-rand_serial',
    '-notext',
  ];
  const signed = await run('openssl', [
    ...sign,
    '-startdate',
    from ?? '',
    '-enddate',
    to ?? '',
    '-out',
    certificate,
  ]);
  expect(signed).toMatchObject({ status: 0 });
  const checked = said(await server.ktadmin(['config', 'check']));
  expect({
    ...checked,
    stderr: checked.stderr.replace(/[A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4} GMT/, 'DATE'),
  }).toEqual(faults(server, `SSL_CERTIFICATE ${words} DATE`));
});

test('a missing cluster is named, and a port that disagrees with the cluster’s', async () => {
  const server = await testServer({ start: false });
  await change(server, { DB_PORT: 5 });
  expect(said(await server.ktadmin(['config', 'check']))).toEqual(
    faults(server, `DB_PORT is 5, but ${server.pgRootdir}/postgresql.conf says port = ${server.port}`),
  );
  await rename(server.pgRootdir, `${server.pgRootdir}.away`);
  expect(said(await server.ktadmin(['config', 'check']))).toEqual(
    faults(server, `PG_ROOTDIR ${server.pgRootdir} holds no PostgreSQL cluster: ktadmin init makes it`),
  );
});

test('a missing secret key is named', async () => {
  const server = await testServer({ start: false });
  await rm(files(server).secretKeys, { recursive: true });
  expect(said(await server.ktadmin(['config', 'check']))).toEqual(
    faults(server, `the secret key of ${server.fingerprint} is not in ${server.confdir}`),
  );
});

test('a keytrustee.conf that is no file is refused', async () => {
  const server = await testServer({ start: false });
  const { conf } = files(server);
  await rename(conf, `${conf}.away`);
  await symlink(`${conf}.away`, conf);
  expect(said(await server.ktadmin(['config', 'check']))).toEqual(
    refusal(1, `${conf} is not a configuration file`),
  );
});

test('an error is JSON on stdout where --json asks for it', async () => {
  const server = await testServer({ start: false });
  await change(server, { PORT: 0 });
  const checked = await server.ktadmin(['config', 'check', '--json', '--quiet']);
  expect(checked).toMatchObject({ status: 1, stderr: '' });
  expect(JSON.parse(checked.stdout)).toEqual({
    error: {
      code: 'failed',
      message: `${server.confdir}/keytrustee.conf has faults:\n  PORT must be a whole number from 1 to 65535, without quotes`,
      hint: null,
    },
  });
});
