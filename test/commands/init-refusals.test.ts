/** `ktadmin init` and bad input: the whole of stderr, the exit status, and nothing made or changed. */
import { chmod, chown, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshPlace } from '../support/fresh.ts';
import { refusal, said } from '../support/refusal.ts';
import {
  checksums,
  isRoot,
  kt,
  ownedDirectory,
  run,
  temporaryDirectory,
  testServer,
  world,
} from '../support/sandbox.ts';

test.each([
  [['--port', '0'], '--port: "0" is not a whole number from 1 to 65535'],
  [['--port', '65536'], '--port: "65536" is not a whole number from 1 to 65535'],
  [['--port', '1e3'], '--port: "1e3" is not a whole number from 1 to 65535'],
  [['--database-port', ''], '--database-port: "" is not a whole number from 1 to 65535'],
  [['--database-port', '-1'], '--database-port: "-1" is not a whole number from 1 to 65535'],
  [['--pg-rootdir', ''], '--pg-rootdir: an empty path'],
  [
    ['--external-address', 'kts01 example'],
    '--external-address: "kts01 example" is not a host name',
    'give the name by which clients reach this server, like kts01.example.com',
  ],
  [
    ['--external-address', ''],
    '--external-address: "" is not a host name',
    'give the name by which clients reach this server, like kts01.example.com',
  ],
  [
    ['--external-address', '-x'],
    '--external-address: "-x" is not a host name',
    'give the name by which clients reach this server, like kts01.example.com',
  ],
  [
    ['--external-address', 'a\nb'],
    '--external-address: "a\\nb" is not a host name',
    'give the name by which clients reach this server, like kts01.example.com',
  ],
  [
    ['--external-address', 'x'.repeat(300)],
    `--external-address: "${'x'.repeat(60)}..." is not a host name`,
    'give the name by which clients reach this server, like kts01.example.com',
  ],
] as [string[], string, string?][])(
  'init %j is wrong usage and makes nothing',
  async (args, message, hint) => {
    const { directory, init } = await freshPlace();
    expect(said(await init(args))).toEqual(refusal(2, message, hint));
    expect(await readdir(directory)).toEqual([]);
  },
);

test('a confdir that is a file is refused', async () => {
  const { directory, confdir, init } = await freshPlace();
  await writeFile(confdir, 'x');
  expect(said(await init())).toEqual(refusal(6, `${confdir} is not a directory`));
  expect(await readdir(directory)).toEqual(['.keytrustee']);
});

test('a confdir that is a link is refused', async () => {
  const { directory, confdir, init } = await freshPlace();
  await symlink('elsewhere', confdir);
  expect(said(await init())).toEqual(
    refusal(6, `${confdir} is a symbolic link`, 'name the directory that it points to'),
  );
  expect(await readdir(directory)).toEqual(['.keytrustee']);
});

test('a confdir below a file is refused', async () => {
  const { directory } = await freshPlace();
  await writeFile(join(directory, 'file'), 'x');
  const place = await freshPlace(join(directory, 'file'));
  expect(said(await place.init())).toEqual(refusal(6, `${place.confdir} cannot exist: a file is in the way`));
});

test('a --pg-rootdir below a file is refused', async () => {
  const { directory, init } = await freshPlace();
  await writeFile(join(directory, 'file'), 'x');
  const place = join(directory, 'file', 'db');
  expect(said(await init(['--pg-rootdir', place]))).toEqual(
    refusal(6, `${place} cannot be made: a file is in the way`),
  );
});

test('a confdir that is open to others is refused', async () => {
  const { directory, confdir, init } = await freshPlace();
  await ownedDirectory(directory, '.keytrustee');
  await chmod(confdir, 0o750);
  const expected = refusal(4, `${confdir} is open to other accounts (mode 0750)`, `chmod 700 ${confdir}`);
  expect(said(await init())).toEqual(expected);
  expect(await readdir(confdir)).toEqual([]);
  expect(await readdir(directory)).toEqual(['.keytrustee']);
});

test('a --pg-rootdir that is open to others is refused', async () => {
  const { directory, pgRootdir, init } = await freshPlace();
  await ownedDirectory(directory, 'db');
  await chmod(pgRootdir, 0o777);
  const expected = refusal(4, `${pgRootdir} is open to other accounts (mode 0777)`, `chmod 700 ${pgRootdir}`);
  expect(said(await init())).toEqual(expected);
  expect(await readdir(pgRootdir)).toEqual([]);
});

test.skipIf(!isRoot)('a confdir of root is refused, because PostgreSQL does not run as root', async () => {
  const { confdir, init } = await freshPlace();
  await mkdir(confdir, { mode: 0o700 });
  const hint = `give it to the service account: chown -R keytrustee: ${confdir}`;
  expect(said(await init())).toEqual(
    refusal(4, `${confdir} belongs to root, and PostgreSQL refuses to run as root`, hint),
  );
  expect(await readdir(confdir)).toEqual([]);
});

test.skipIf(!isRoot)('nobody is told to give away a directory of the system', async () => {
  const { confdir, init } = await freshPlace();
  await mkdir(join(confdir, 'something'), { mode: 0o700, recursive: true });
  expect(said(await init())).toEqual(
    refusal(
      4,
      `${confdir} belongs to root, and PostgreSQL refuses to run as root`,
      'name a directory that only the server uses',
    ),
  );
});

test.skipIf(!isRoot)('a confdir of a user id without an account is refused', async () => {
  const { confdir, init } = await freshPlace();
  await mkdir(confdir, { mode: 0o700 });
  await chown(confdir, 54_321, 54_321);
  const hint = `give it to the service account: chown -R keytrustee: ${confdir}`;
  expect(said(await init())).toEqual(
    refusal(4, `${confdir} belongs to user id 54321, and there is no such account`, hint),
  );
});

test.skipIf(!isRoot)('a confdir of another account than --user is refused', async () => {
  const { confdir, init } = await freshPlace();
  await mkdir(confdir, { mode: 0o700 });
  await chown(confdir, 65_534, 65_534);
  const { name } = world.account;
  expect(said(await init(['--user', name]))).toEqual(
    refusal(
      6,
      `${confdir} belongs to nobody, not to ${name}`,
      `leave out --user, or chown -R ${name}: ${confdir}`,
    ),
  );
});

test.skipIf(!isRoot)('a --pg-rootdir of another account is refused', async () => {
  const { directory, pgRootdir, init } = await freshPlace();
  await mkdir(pgRootdir, { mode: 0o700 });
  const { name } = world.account;
  expect(said(await init())).toEqual(
    refusal(4, `${pgRootdir} does not belong to ${name}`, `chown ${name}: ${pgRootdir}`),
  );
  expect(await readdir(directory)).toEqual(['.keytrustee', 'db']);
});

test.skipIf(!isRoot)('an unknown --user is refused, with the command that makes it', async () => {
  const { directory, init } = await freshPlace();
  expect(said(await init(['--user', 'nosuch']))).toEqual(
    refusal(
      5,
      'there is no account nosuch',
      'useradd --system --user-group --home-dir /var/lib/keytrustee --shell /bin/bash nosuch',
    ),
  );
  expect(await readdir(directory)).toEqual([]);
});

test.skipIf(!isRoot)('--user root is refused', async () => {
  const { directory, init } = await freshPlace();
  expect(said(await init(['--user', 'root']))).toEqual(
    refusal(2, 'the service account must not be root', 'give another --user'),
  );
  expect(await readdir(directory)).toEqual([]);
});

test.skipIf(isRoot)('only root can make a server for another account', async () => {
  const { directory, confdir, init } = await freshPlace();
  expect(said(await init(['--user', 'nobody']))).toEqual(
    refusal(
      4,
      'only root can make a server for nobody',
      `sudo ktadmin init --confdir ${confdir} --external-address kts01.example.com --user nobody`,
    ),
  );
  expect(await readdir(directory)).toEqual([]);
});

test('a place whose path is too long for a socket is refused before anything is made', async () => {
  const { directory, init } = await freshPlace();
  const long = join(directory, 'x'.repeat(100));
  const excess = Buffer.byteLength(join(long, 'run/.s.PGSQL.11381.lock')) - 107;
  expect(said(await init(['--pg-rootdir', long]))).toEqual(
    refusal(
      2,
      `${long} is ${excess} bytes too long for a unix socket below it`,
      'choose a shorter --pg-rootdir',
    ),
  );
  expect(await readdir(directory)).toEqual([]);
});

test('the longest path that a socket can have works, and one byte more is refused', async () => {
  const { directory, confdir, init } = await freshPlace();
  await run('cp', ['-a', join(world.directory, 'template', '.keytrustee'), confdir]);
  await rm(join(confdir, 'keytrustee.conf'));
  const rest = 107 - Buffer.byteLength(join(directory, 'run/.s.PGSQL.11381.lock')) - 1;
  const longest = join(directory, 'x'.repeat(rest));
  expect(await init(['--pg-rootdir', `${longest}x`])).toMatchObject({ status: 2 });
  expect(await init(['--pg-rootdir', longest])).toMatchObject({ status: 0 });
  expect(await kt('ktadmin', ['db', 'start', '--pg-rootdir', longest])).toMatchObject({ status: 0 });
});

test('a certificate without its key is refused and kept', async () => {
  const { directory, confdir, ktadmin } = await testServer({ start: false });
  await rm(join(confdir, '.ssl/ssl-cert-keytrustee-pk.pem'));
  const before = await checksums(directory);
  expect(said(await ktadmin(['init']))).toEqual(
    refusal(
      6,
      `${join(confdir, '.ssl/ssl-cert-keytrustee.pem')} is there, but its private key is not`,
      'put the key back, or move the certificate away',
    ),
  );
  expect(await checksums(directory)).toBe(before);
});

test.each([
  ['is no key', 'garbage\n', 'it holds no private key in PEM form'],
  [
    'has a password',
    ['genpkey', '-algorithm', 'RSA', '-aes256', '-pass', 'pass:x'],
    'the key has a password',
  ],
  [
    'is neither RSA nor of a known curve',
    ['genpkey', '-algorithm', 'ED25519'],
    'the key is of type ed25519: neither RSA nor P-256, P-384 or P-521',
  ],
] as [string, string | string[], string][])(
  'a key without certificate that %s is refused and kept',
  async (_, made, message) => {
    const { directory, confdir, ktadmin } = await testServer({ start: false });
    const key = join(confdir, '.ssl/ssl-cert-keytrustee-pk.pem');
    await rm(join(confdir, '.ssl/ssl-cert-keytrustee.pem'));
    await writeFile(key, typeof made === 'string' ? made : (await run('openssl', made)).stdout);
    const before = await checksums(directory);
    const outcome = await ktadmin(['init', '--quiet']);
    expect(said(outcome)).toEqual(
      refusal(
        3,
        `${key}: ${message}`,
        'put its certificate beside it, or move the key away so that both are made anew',
      ),
    );
    expect(await checksums(directory)).toBe(before);
  },
);

test('files that keytrustee.conf names elsewhere are never made', async () => {
  const { directory, confdir, ktadmin } = await testServer({ start: false });
  const conf = join(confdir, 'keytrustee.conf');
  const elsewhere = join(directory, 'cert.pem');
  await run('sed', ['-i', `s,"SSL_CERTIFICATE": .*,"SSL_CERTIFICATE": "${elsewhere}"\\,,`, conf]);
  expect(said(await ktadmin(['init']))).toEqual(
    refusal(
      3,
      `${elsewhere}, which keytrustee.conf names, is missing`,
      'put the file back, or correct keytrustee.conf',
    ),
  );
});

const CHECK = 'ktadmin config check lists every fault';
const PORT_RULE = 'must be a whole number from 1 to 65535, without quotes';
test.each([
  [
    'is cut short',
    '{"SSL_PRIVATE_KEY_PASSWORD_SCRIPT": "/bin/echo -n s3cr3t',
    'CONF is not JSON',
    'python3 -m json.tool CONF shows where; mend it, or take it out of a backup',
  ],
  ['is a list', '[]', 'CONF does not hold one JSON object', 'mend it, or take it out of a backup'],
  [
    'is empty',
    '',
    'CONF is not JSON',
    'python3 -m json.tool CONF shows where; mend it, or take it out of a backup',
  ],
  [
    'lacks the fingerprint',
    '{"EXTERNAL_ADDRESS": "a"}',
    'CONF: LOCAL_FINGERPRINT is missing: it must look like 4096R/<40 hex digits>',
    CHECK,
  ],
  ['has a number for a path', { PG_ROOTDIR: 7 }, 'CONF: PG_ROOTDIR must be an absolute path', CHECK],
  ['has a relative path', { PG_ROOTDIR: 'db' }, 'CONF: PG_ROOTDIR must be an absolute path', CHECK],
  ['has a text for a port', { DB_PORT: '11381' }, `CONF: DB_PORT ${PORT_RULE}`, CHECK],
  ['has a port that is none', { PORT: 70_000 }, `CONF: PORT ${PORT_RULE}`, CHECK],
] as [string, string | object, string, string][])(
  'a keytrustee.conf that %s is named, not quoted, and kept',
  async (_, content, message, hint) => {
    const { directory, confdir, fingerprint, ktadmin, pgRootdir } = await testServer({ start: false });
    const conf = join(confdir, 'keytrustee.conf');
    const valid = {
      LOCAL_FINGERPRINT: fingerprint,
      EXTERNAL_ADDRESS: 'kts01.example.com',
      PG_ROOTDIR: pgRootdir,
      SSL_CERTIFICATE: '/c',
      SSL_PRIVATE_KEY: '/k',
    };
    await writeFile(conf, typeof content === 'string' ? content : JSON.stringify({ ...valid, ...content }));
    const before = await checksums(directory);
    const expected = refusal(1, message.replaceAll('CONF', conf), hint.replaceAll('CONF', conf));
    expect(said(await ktadmin(['init']))).toEqual(expected);
    expect(said(await ktadmin(['db', 'start']))).toEqual(expected);
    expect(await checksums(directory)).toBe(before);
  },
);

test('a configuration whose secret key is missing never gets another key', async () => {
  const { directory, confdir, fingerprint, ktadmin } = await testServer({ start: false });
  await rm(join(confdir, 'private-keys-v1.d'), { recursive: true });
  const before = await checksums(directory);
  expect(said(await ktadmin(['init']))).toEqual(
    refusal(
      3,
      `${confdir} lacks the secret key of ${fingerprint}`,
      'copy private-keys-v1.d and pubring.kbx of that server, or restore a backup',
    ),
  );
  expect(await checksums(directory)).toBe(before);
});

test('a data directory without PG_VERSION that is not empty is refused and kept', async () => {
  const { pgRootdir, ktadmin } = await testServer({ start: false });
  await rm(join(pgRootdir, 'data/PG_VERSION'));
  const before = await checksums(pgRootdir);
  expect(said(await ktadmin(['init']))).toEqual(
    refusal(
      6,
      `${pgRootdir}/data is not empty, and is no data directory of PostgreSQL (it has no PG_VERSION)`,
      'move it away, or restore it',
    ),
  );
  expect(await checksums(pgRootdir)).toBe(before);
});

test('without PostgreSQL init says so before it makes a key', async () => {
  const { confdir, init } = await freshPlace();
  const nowhere = await temporaryDirectory();
  expect(said(await init([], { env: { PG_BINDIR: nowhere } }))).toEqual(
    refusal(
      5,
      `PG_BINDIR is ${nowhere}, which lacks working programs postgres, initdb, pg_ctl, psql, pg_dump`,
      'correct PG_BINDIR, or unset it',
    ),
  );
  expect(await readdir(confdir)).toEqual([]);
});

test('programs are found in the system’s directories where PATH lacks these, as under cron and after a plain su', async () => {
  const { confdir, init } = await freshPlace();
  const programs = await temporaryDirectory();
  await symlink(process.execPath, join(programs, 'node'));
  await chmod(programs, 0o755);
  expect(await init([], { env: { PATH: `${world.bin}:${programs}` } })).toMatchObject({ status: 0 });
  expect(await readdir(confdir)).toContain('pubring.kbx');
});
