import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { restore } from '../support/restored.ts';
import {
  checksums,
  freePort,
  kt,
  ownedDirectory,
  temporaryDirectory,
  testServer,
} from '../support/sandbox.ts';
import { backup } from '../support/sets.ts';
import { stateOf } from '../support/state.ts';

test('--dry-run shows every step with its names, and changes nothing', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  const set = await backup(server);
  const before = await stateOf(server);
  const shown = await restore(server, [set, '--dry-run']);
  expect(shown.status, shown.stderr).toBe(0);
  expect(shown.stderr).not.toContain('warning');
  const stamp = String.raw`\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{3}`;
  const { confdir, fingerprint } = server;
  expect(shown.stdout).toMatch(
    new RegExp(
      `^ 1\\. write the configuration of the set to ${confdir}.restoring-${stamp}\n` +
        ` 2\\. sign with the key ${fingerprint} in it, as a trial\n` +
        String.raw` 3\. load the dump of the set into the database keytrustee_new_\d{17}, and count its rows${'\n'}` +
        ' 4\\. compare it with the present database, and say what is lost or revived\n' +
        ` 5\\. write ${confdir}.exchange.json, so that a crash from here on can be finished\n` +
        String.raw` 6\. rename the database keytrustee to keytrustee_old_\d{17}, to which nobody can connect${'\n'}` +
        String.raw` 7\. rename the database keytrustee_new_\d{17} to keytrustee, in the same transaction${'\n'}` +
        ` 8\\. rename ${confdir} to ${confdir}.before-${stamp}\n` +
        ` 9\\. rename ${confdir}.restoring-${stamp} to ${confdir}\n` +
        '10\\. sign and count again, in place\n' +
        `11\\. remove ${confdir}.exchange.json\n` +
        'Not known: which organizations and clients are lost or revived is known when the set is loaded\n' +
        'Nothing was changed\n$',
    ),
  );
  expect(await stateOf(server)).toEqual(before);

  await server.ktadmin(['db', 'stop']);
  const stopped = await restore(server, [set, '--dry-run', '--json']);
  const { steps, unknown, plan } = JSON.parse(stopped.stdout) as Record<string, unknown>;
  expect(steps).toContain(`start PostgreSQL in ${server.pgRootdir}, where it does not run`);
  expect(unknown).toEqual(['the database does not run, or does not answer: what it holds was not looked at']);
  expect(plan).toMatchObject({ confdir, fingerprint, rows: { organization: 1 } });
  expect((await server.ktadmin(['db', 'status'])).status).toBe(3);
  expect(await checksums(confdir)).toBe(before.files);

  const place = join(await temporaryDirectory(), 'none', 'yet');
  const elsewhere = await kt('ktadmin', ['restore', set, '--dry-run', '--relocate', '--confdir', place]);
  expect(elsewhere.status, elsewhere.stderr).toBe(0);
  expect(elsewhere.stdout).toContain(' 1. make the directory ');
  // Nothing here has the name in the set.
  expect(elsewhere.stderr).toContain(
    `ktadmin: warning: clients will reach this server as kts01.example.com, which its TLS certificate names, too, and this host is ${hostname()}: give --external-address where the set is another host's\n`,
  );
  expect(existsSync(join(place, '..'))).toBe(false);
});

test('--relocate makes a server that works in another directory, with another name and port', async () => {
  const one = await testServer();
  await one.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  const set = await backup(one);
  const before = await stateOf(one);
  const parent = await temporaryDirectory();
  const confdir = join(parent, 'a b', '.keytrustee');
  const port = await freePort();
  const words = [
    ...['restore', set, '--yes', '--relocate', '--confdir', confdir],
    ...['--external-address', 'kts02.example.com', '--database-port', String(port)],
  ];
  const restored = await kt('ktadmin', words);
  expect(restored.status, restored.stderr).toBe(0);
  expect(restored.stderr).toContain(
    `ktadmin: warning: the TLS certificate in ${confdir} names kts01.example.com: clients that reach kts02.example.com will refuse it until it is replaced\n`,
  );
  const at = ['--confdir', confdir];
  const shown = await kt('ktadmin', ['config', 'show', '--json', ...at]);
  expect(JSON.parse(shown.stdout)).toMatchObject({
    LOCAL_FINGERPRINT: one.fingerprint,
    EXTERNAL_ADDRESS: 'kts02.example.com',
    DB_PORT: port,
    PG_ROOTDIR: join(parent, 'a b', 'db'),
    SSL_CERTIFICATE: join(confdir, '.ssl', 'ssl-cert-keytrustee.pem'),
    SSL_PRIVATE_KEY: join(confdir, '.ssl', 'ssl-cert-keytrustee-pk.pem'),
  });
  expect((await kt('ktadmin', ['db', 'status', ...at])).status).toBe(0);
  expect((await kt('ktadmin', ['orgtool', 'list', ...at])).stdout).toContain('"prod"');
  const checked = await kt('ktadmin', ['config', 'check', ...at]);
  expect(checked.status, checked.stderr).toBe(0);
  const output = await ownedDirectory(parent, 'backups');
  const made = await kt('ktadmin', ['backup', '--cleartext', '--quiet', '--output', output, ...at]);
  expect(made.status, made.stderr).toBe(0);
  expect(await readdir(output)).toContainEqual(expect.stringMatching(/^kts_bak_kts02_example_com_/));
  expect(await stateOf(one), 'the server that the set was made of').toEqual(before);
  await kt('ktadmin', ['db', 'stop', ...at]);
});

test('the database of another server is never taken over', async () => {
  const one = await testServer();
  await one.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  const set = await backup(one);
  const before = await stateOf(one);
  const confdir = join(await temporaryDirectory(), '.keytrustee');
  const words = ['restore', set, '--yes', '--relocate', '--confdir', confdir, '--pg-rootdir', one.pgRootdir];
  const refused = await kt('ktadmin', words);
  expect(refused.status).toBe(6);
  expect(refused.stderr).toContain(
    `ktadmin: error: ${one.pgRootdir} holds a database already, and it is not that of ${confdir}\n` +
      'ktadmin: hint: give --pg-rootdir DIR, a directory for the database of this server\n',
  );
  expect(existsSync(confdir)).toBe(false);
  expect(await stateOf(one)).toEqual(before);
});

test('the port of the cluster that is there wins over the set’s, and another one is refused', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']);
  const set = await backup(server);
  const port = await freePort();
  const from = String(server.port);
  await server.ktadmin(['db', 'stop']);
  for (const path of [join(server.confdir, 'keytrustee.conf'), join(server.pgRootdir, 'postgresql.conf')])
    await writeFile(path, (await readFile(path, 'utf8')).replaceAll(from, String(port)));
  await server.ktadmin(['db', 'start']);
  const refused = await restore(server, [set, '--yes', '--database-port', from]);
  expect(refused.status).toBe(6);
  expect(refused.stderr).toContain(
    `ktadmin: error: the cluster in ${server.pgRootdir} has port ${port}, not ${from}\n`,
  );
  const restored = await restore(server, [set, '--yes']);
  expect(restored.status, restored.stderr).toBe(0);
  expect(restored.stderr).toContain(`  changes        DB_PORT from ${from} to ${port}\n`);
  expect((await server.orgtool(['list'])).stdout).toContain('"prod"');
  expect((await server.ktadmin(['db', 'restart'])).status).toBe(0);
  expect((await server.ktadmin(['config', 'check'])).status).toBe(0);
});
