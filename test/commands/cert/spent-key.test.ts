/** What `cert request` and `cert self-sign` do with a key that waits no longer, because it is in use. */
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tree } from '../../support/faults.ts';
import { refusal, said } from '../../support/refusal.ts';
import { run, testServer } from '../../support/sandbox.ts';

test('a key that waited and is in use now is not asked for again: a new one is made', async () => {
  const { confdir, ktadmin } = await testServer({ start: false });
  const pending = join(confdir, '.ssl/pending');
  const files = [
    join(pending, 'ssl-cert-keytrustee.pem'),
    join(pending, 'ssl-cert-keytrustee-pk.pem'),
  ] as const;
  await ktadmin(['cert', 'self-sign', '--quiet', '--new-key', 'p256']);
  // By hand, as the manual of the original has it: copied, and named in keytrustee.conf.
  const [inUse, key] = [join(confdir, '.ssl/mine.pem'), join(confdir, '.ssl/mine.key')];
  await run('cp', ['-p', files[0], inUse]);
  await run('cp', ['-p', files[1], key]);
  const conf = join(confdir, 'keytrustee.conf');
  const settings = JSON.parse(await readFile(conf, 'utf8')) as object;
  await writeFile(conf, JSON.stringify({ ...settings, SSL_CERTIFICATE: inUse, SSL_PRIVATE_KEY: key }));
  const again = await ktadmin(['cert', 'self-sign', '--reuse-key', '--json']);
  expect(JSON.parse(again.stdout)).toMatchObject({ key: { kind: 'p256', origin: 'in-use' } });
  const { raw } = new X509Certificate(await readFile(inUse));
  const asked = await ktadmin(['cert', 'request', '--new-key', 'p384', '--json']);
  expect(JSON.parse(asked.stdout)).toMatchObject({ key: { kind: 'p384', origin: 'new', path: files[1] } });
  expect((await tree(pending)).split('\n')).toEqual([
    '',
    '-rw------- request.csr',
    '-rw------- ssl-cert-keytrustee-pk.pem',
    'drwx------ ',
  ]);
  expect(new X509Certificate(await readFile(inUse)).raw).toEqual(raw);
});

test('files that wait and were named in keytrustee.conf are neither removed nor replaced', async () => {
  const { confdir, ktadmin } = await testServer({ start: false });
  const pending = join(confdir, '.ssl/pending');
  const cert = join(pending, 'ssl-cert-keytrustee.pem');
  const key = join(pending, 'ssl-cert-keytrustee-pk.pem');
  await ktadmin(['cert', 'self-sign', '--quiet', '--new-key', 'p256']);
  const conf = join(confdir, 'keytrustee.conf');
  const settings = JSON.parse(await readFile(conf, 'utf8')) as object;
  await writeFile(conf, JSON.stringify({ ...settings, SSL_CERTIFICATE: cert, SSL_PRIVATE_KEY: key }));
  const before = await readFile(cert, 'utf8');
  for (const words of [
    ['request'],
    ['self-sign'],
    ['self-sign', '--reuse-key'],
    ['request', '--discard-pending'],
  ])
    expect(said(await ktadmin(['cert', ...words]))).toEqual(
      refusal(
        6,
        `SSL_CERTIFICATE ${cert} is in use where new keys wait`,
        `ktadmin cert rotate --cert ${cert} --key ${key} copies both elsewhere`,
      ),
    );
  expect(await readFile(cert, 'utf8')).toBe(before);
});
