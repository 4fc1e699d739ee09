/** `cert rollback`: which of the pairs that are kept it takes, and what it says of them. */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { type Authority, authority, configurationOf } from '../../support/authority.ts';
import { give } from '../../support/faults.ts';
import { issueBetween } from '../../support/in-place.ts';
import { refusal, said } from '../../support/refusal.ts';
import { kt, replaceIn, run, sharedServer, temporaryDirectory } from '../../support/sandbox.ts';
import { configure } from '../../support/serving.ts';

const HOST = 'kts01.example.com';
const server = sharedServer();
let ca: Authority;

beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  ca = await authority(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)), HOST);
  for (const name of ['a', 'b']) await ca.issue(name);
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

async function rotate(...words: string[]): Promise<void> {
  const { status, stderr } = said(await server.ktadmin(['cert', 'rotate', ...words]));
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}

test('defect: a certificate that is valid only from later on was gone back to', async () => {
  await issueBetween(ca, 'later', '20980101000000Z', '20990101000000Z');
  await give(ca.at('later.pem'));
  await configure(server, { SSL_CERTIFICATE: ca.at('later.pem'), SSL_PRIVATE_KEY: ca.at('later.key') });
  await rotate(...ca.options('a'));
  const [kept] = (await readdir(join(server.confdir, '.ssl'))).filter((name) => name.startsWith('kept-'));
  const before = await configurationOf(server);
  const list = `  ${kept}, CN=later: the certificate is valid only from Jan  1 00:00:00 2098 GMT\n    look whether the clock is right (timedatectl), or wait until then`;
  for (const more of [[], ['--dry-run']])
    expect(said(await server.ktadmin(['cert', 'rollback', ...more]))).toEqual(
      refusal(
        8,
        `no certificate that is kept can be used:\n${list}`,
        'ktadmin cert rotate --cert FILE --key FILE puts another one to use',
      ),
    );
  expect(await configurationOf(server)).toEqual(before);
});

test('defect: nothing was said of a certificate that is for another host by now', async () => {
  await rotate(...ca.options('b'));
  await configure(server, { EXTERNAL_ADDRESS: 'kts02.example.com' });
  const { status, stdout, stderr } = said(await server.ktadmin(['cert', 'rollback', '--quiet']));
  await configure(server, { EXTERNAL_ADDRESS: HOST });
  expect({ status, stdout, stderr }).toEqual({
    ...{ status: 0, stdout: '' },
    stderr: `ktadmin: warning: some clients refuse it: the certificate is not for kts02.example.com, but for ${HOST}\n`,
  });
});

test('defect: a server that was restored elsewhere went back to the files of the one before', async () => {
  const { confdir } = server;
  const password = join(confdir, 'password');
  await writeFile(password, 'secret', { mode: 0o600 });
  await give(password);
  await rotate(...ca.options('b'), '--password-script', `cat ${password}`);
  await rotate(...ca.options('a'));
  // As restore --relocate leaves it.
  const elsewhere = join(await temporaryDirectory(), 'elsewhere');
  expect(await run('cp', ['-a', confdir, elsewhere])).toMatchObject({ status: 0 });
  await replaceIn(join(elsewhere, 'keytrustee.conf'), [[confdir, elsewhere]]);
  const env = { KEYTRUSTEE_CONFDIR: elsewhere };
  const back = said(await kt('ktadmin', ['cert', 'rollback', '--json'], { env }));
  const { files, ...told } = JSON.parse(back.stdout);
  expect(told).toMatchObject({
    ...{ subject: 'CN=b', issuer: 'CN=ca', fingerprint: await ca.fingerprint('b') },
    ...{ place: 'copied', warnings: [] },
  });
  const { SSL_PRIVATE_KEY_PASSWORD_SCRIPT: script, ...paths } = files as Record<string, string>;
  expect(script).toBe(`cat ${elsewhere}/password`);
  for (const path of Object.values(paths)) expect(path.startsWith(`${elsewhere}/.ssl/`)).toBe(true);
  expect(Object.keys(paths)).toHaveLength(3);
});
