/** What is said of a certificate before and after it expires; the days pass by libfaketime. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Shown } from '../../../src/lib/certificates/show.ts';
import { daysBefore, hasFaketime } from '../../support/clock.ts';
import { refusal, said } from '../../support/refusal.ts';
import { run, sharedServer } from '../../support/sandbox.ts';
import { configure, sharedServing } from '../../support/serving.ts';

const EXTENSIONS = ['subjectAltName=DNS:kts01.example.com', 'basicConstraints=critical,CA:FALSE'].flatMap(
  (each) => ['-addext', each],
);
const server = sharedServer();
let certificate: X509Certificate;
sharedServing(server, async () => {
  const [own, key] = [join(server.confdir, '.ssl/own.pem'), join(server.confdir, '.ssl/own.key')];
  const subject = ['-subj', '/CN=kts01.example.com', ...EXTENSIONS];
  const files = ['-newkey', 'rsa:2048', '-nodes', '-days', '60', '-keyout', key, '-out', own];
  const made = await run('openssl', ['req', '-x509', ...subject, ...files]);
  expect(made).toMatchObject({ status: 0 });
  await run('chown', ['--reference', server.confdir, own, key]);
  await configure(server, { SSL_CERTIFICATE: own, SSL_PRIVATE_KEY: key, METRICS_PORT: 0 });
  certificate = new X509Certificate(await readFile(own));
});

let end = '';
beforeAll(() => {
  end = `${new Date(certificate.validTo).toISOString().slice(0, 19)}Z`;
});

const at = (days: number, ...words: string[]) =>
  server.ktadmin(words, { env: daysBefore(certificate, days) });

describe.skipIf(!hasFaketime)('needs faketime', () => {
  test.each([
    [31, 0, 'OK', 'expires in 31 days'],
    [29, 1, 'WARNING', 'expires in 29 days'],
    [7, 1, 'WARNING', 'expires in 7 days'],
    [6, 2, 'CRITICAL', 'expires in 6 days'],
    [1, 2, 'CRITICAL', 'expires in 1 day'],
    [-1, 2, 'CRITICAL', 'expired 1 day ago'],
  ])('doctor %i days before: exit status %i', async (days, status, state, words) => {
    const told = said(await at(days, 'doctor'));
    const message = `${words}, on ${end}`;
    const [first, , second] = told.stdout.split('\n');
    expect({ status: told.status, stderr: told.stderr }).toEqual({ status, stderr: '' });
    const all = state === 'OK' ? 'all is well; 9 checks, 0' : `certificate: ${message}; 9 checks, 1`;
    const next = state === 'OK' ? '' : '; next: ktadmin cert rotate --self-sign';
    expect([first, second]).toEqual([
      `KEYTRUSTEE ${state} - ${all} not OK`,
      `${state.padEnd(8)}  certificate  ${message}${next}`,
    ]);
  });

  test.each([
    [31, undefined],
    [29, 'in 29 days'],
    [1, 'in 1 day'],
    [0.5, 'within a day'],
  ])('cert check %d days before: no fault, and from 30 days on a warning', async (days, words) => {
    const { status, stderr } = said(await at(days, 'cert', 'check'));
    const expires = `SSL_CERTIFICATE expires on ${certificate.validTo}`;
    expect([status, stderr.includes(expires)]).toEqual([0, words !== undefined]);
    expect(stderr).toContain(words === undefined ? 'no faults' : `${expires}, ${words}\n`);
  });

  test('cert check a day after: a fault, and exit status 8', async () => {
    const renew =
      'ask for a new one, ktadmin cert request writes the request, and put it to use by ktadmin cert rotate';
    const faults = `the certificate cannot be used:\n  SSL_CERTIFICATE expired on ${certificate.validTo}\n    ${renew}\n1 fault`;
    expect(said(await at(-1, 'cert', 'check'))).toEqual(refusal(8, faults));
  });

  // One that expired less than a day ago has -1 days left: only whole days count.
  test.each([
    [31, 31, '31 days left', false],
    [29, 29, '29 days left', true],
    [1, 1, '1 day left', true],
    [0.5, 0, 'less than a day left', true],
    [-1, -2, 'expired 1 day ago', true],
    [61, 61, 'valid from', true],
  ])('cert show %d days before: %d whole days, %s', async (days, whole, words, isWarned) => {
    const [shown, json] = await Promise.all([at(days, 'cert', 'show'), at(days, 'cert', 'show', '--json')]);
    const from = `${new Date(certificate.validFrom).toISOString().slice(0, 19)}Z`;
    const validity = words === 'valid from' ? `valid from ${from}` : words;
    const warning = `CN=kts01.example.com: ${validity} (until ${end})`;
    const { status, stdout, stderr } = said(shown);
    expect([status, stderr]).toEqual([0, isWarned ? `ktadmin: warning: ${warning}\n` : '']);
    expect(stdout).toContain(
      `  validity        ${validity}\n  from            ${from}\n  to              ${end}\n`,
    );
    const { configured, presented, agrees, warnings } = JSON.parse(json.stdout) as Shown;
    const [own] = configured.chain;
    expect([json.status, own?.daysLeft, own?.validity, agrees]).toEqual([0, whole, validity, true]);
    expect(presented.map(({ chain }) => chain)).toEqual([configured.chain]);
    expect(warnings).toEqual(isWarned ? [warning] : []);
  });

  test('on its last day doctor is critical, and before its first one cert check refuses', async () => {
    const last = said(await at(0.5, 'doctor'));
    expect([last.status, last.stdout.split('\n')[0]]).toEqual([
      2,
      `KEYTRUSTEE CRITICAL - certificate: expires in less than a day, on ${end}; 9 checks, 1 not OK`,
    ]);
    const clock = 'look whether the clock is right (timedatectl), or wait until then';
    const early = `SSL_CERTIFICATE is valid only from ${certificate.validFrom}`;
    const faults = `the certificate cannot be used:\n  ${early}\n    ${clock}\n1 fault`;
    expect(said(await at(61, 'cert', 'check'))).toEqual(refusal(8, faults));
  });

  test('before its first day doctor says so', async () => {
    const early = said(await at(61, 'doctor'));
    const from = `${new Date(certificate.validFrom).toISOString().slice(0, 19)}Z`;
    expect([early.status, early.stdout.split('\n').filter((line) => /^CRIT|^KEY/.test(line))]).toEqual([
      2,
      [
        `KEYTRUSTEE CRITICAL - certificate: is valid only from ${from}; 9 checks, 1 not OK`,
        `CRITICAL  certificate  is valid only from ${from}; next: timedatectl`,
      ],
    ]);
  });
});
