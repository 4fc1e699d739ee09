/**
 * The lines of docs/certificates.md for tools that renew certificates, run as those tools run them. certbot itself is not: it needs an
 * ACME server, and none can be had here. What it does with a hook is done instead: its directories, links and variables.
 */

import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { said } from '../../support/refusal.ts';
import { presentedTo, type Renewals, renewals } from '../../support/rotation.ts';
import { run, sharedServer } from '../../support/sandbox.ts';
import { configure, sharedServing } from '../../support/serving.ts';

const HOST = 'kts01.example.com';
const document = await readFile(join(import.meta.dirname, '../../../docs/certificates.md'), 'utf8');
const server = sharedServer();
const serving = sharedServing(server, () => configure(server, { METRICS_PORT: 0, WORKERS: 2 }));
let acme: Renewals;

beforeAll(async () => {
  acme = await renewals(server.directory, HOST);
});

/** The hook of the page, run as certbot runs hooks: by a shell, with the directory of links in a variable. */
async function certbotHook() {
  const hook = /--deploy-hook '([^']+)'/.exec(document)?.[1] ?? expect.fail('the page has no hook');
  const env = { KEYTRUSTEE_CONFDIR: server.confdir, RENEWED_LINEAGE: acme.lineage, RENEWED_DOMAINS: HOST };
  return said(await run('/bin/sh', ['-c', hook], { env }));
}

const issued = async () => new X509Certificate(await readFile(join(acme.lineage, 'cert.pem'))).fingerprint256;
const presented = () => presentedTo(serving.port, acme.root, HOST);

/** What is said where it was done. An authority's root is no part of what ACME clients write. */
const WARNING =
  'ktadmin: warning: the certificate of CN=root, which issued the authority CN=issuer, is missing\n';
const done = (probed: string) => ({
  status: 0,
  stdout: expect.stringMatching(
    new RegExp(
      `^in use now: CN=server, until \\d{4}-\\d\\d-\\d\\d \\(89 days\\)\n  issued by CN=issuer\n  SHA-256 [0-9A-F:]{95}\n${probed}\n(?:ktadmin cert rollback .*\n)?$`,
    ),
  ),
  stderr: WARNING,
});
const DONE = done('the server presents it: 4 connections');

test('certbot: what is renewed is presented, again and again', async () => {
  for (const _renewal of [1, 2]) {
    await acme.renew();
    expect(await certbotHook()).toEqual(DONE);
    expect(await presented()).toBe(await issued());
  }
  expect(await certbotHook()).toEqual(done('it was in use already: nothing was changed'));
});

test.each([
  [
    { host: 'other.example.com' },
    `  the certificate is not for ${HOST}, but for other.example.com\n    ask for one with this name: ktadmin cert request --san ${HOST}\n`,
  ],
  [
    { isAnotherKey: true },
    '  the key does not belong to the certificate\n    put the key and the certificate of one request there\n',
  ],
])(
  'certbot: a renewal that is no good (%j) changes nothing, and its status says so; the next good one is put to use',
  async (wrong, faults) => {
    await acme.renew();
    expect(await certbotHook()).toEqual(DONE);
    const before = await presented();
    await acme.renew(wrong);
    const refused = `ktadmin: error: the certificate cannot be used:\n${faults}`;
    expect(await certbotHook()).toEqual({ status: 8, stdout: '', stderr: refused });
    expect(await presented()).toBe(before);
    await acme.renew();
    expect(await certbotHook()).toEqual(DONE);
    expect(await presented()).toBe(await issued());
  },
);

test('step: its one file with the chain is enough, and no shell is needed', async () => {
  await acme.renew();
  const place = server.directory;
  const line = /--exec '([^']+)'/.exec(document)?.[1] ?? expect.fail('the page has no such line');
  expect(line).not.toMatch(/["$\\]| {2}/);
  await writeFile(join(place, 'kts01.crt'), await readFile(join(acme.lineage, 'fullchain.pem')));
  await writeFile(join(place, 'kts01.key'), await readFile(join(acme.lineage, 'privkey.pem')), {
    mode: 0o600,
  });
  const [program = '', ...words] = line.replaceAll('/etc/step', place).split(' ');
  expect(said(await run(program, words, { env: { KEYTRUSTEE_CONFDIR: server.confdir } }))).toEqual(DONE);
  expect(await presented()).toBe(await issued());
});

test('the line for cron does what a hook could not do, and says nothing where it is done', async () => {
  await acme.renew();
  const line = /^17 5 \* \* \* root (.*)$/m.exec(document)?.[1] ?? expect.fail('the page has no such line');
  const command = line.replaceAll(/\/etc\/letsencrypt\/live\/[^;]+/g, acme.lineage);
  const again = () => run('/bin/sh', ['-c', command], { env: { KEYTRUSTEE_CONFDIR: server.confdir } });
  expect(await again()).toMatchObject({ status: 0, stdout: '', stderr: WARNING });
  expect(await presented()).toBe(await issued());
  await acme.addRoot();
  expect(await again()).toMatchObject({ status: 0, stdout: '', stderr: '' });
});
