/** What a server does about a certificate that expires; the days pass by libfaketime. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askServer } from '../../../src/lib/core/control.ts';
import { daysBefore, hasFaketime } from '../../support/clock.ts';
import { freePort, isRoot, run, type TestServer, testServer, until } from '../../support/sandbox.ts';
import { configure, type Serving, serving } from '../../support/serving.ts';
import { type MailServer, mailServer, partsOf, taken, textOf } from '../../support/smtp.ts';

const cleanUps: (() => Promise<void>)[] = [];
const atEnd = (cleanUp: () => Promise<void>) => void cleanUps.push(cleanUp);
afterAll(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp();
});

let server: TestServer;
let smtp: MailServer;
let metricsPort: number;
let certificate: X509Certificate;
const file = (name: string) => join(server.confdir, '.ssl', name);

/** A certificate for 60 days, self-signed or of an authority that is valid longer. */
async function makePair(name: string, days: number, ...more: string[]): Promise<void> {
  const words = [
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    file(`${name}.key`),
    '-out',
    file(`${name}.pem`),
  ];
  const made = await run('openssl', ['req', '-x509', '-days', `${days}`, ...words, ...more]);
  expect(made).toMatchObject({ status: 0 });
}

beforeAll(async () => {
  server = await testServer({ atEnd });
  smtp = await mailServer({}, { atEnd });
  metricsPort = await freePort();
  const issued = ['-CA', file('root.pem'), '-CAkey', file('root.key')];
  await makePair('root', 40, '-subj', '/CN=Old Root');
  await makePair('own', 60, '-subj', '/CN=kts01.example.com', ...issued);
  if (isRoot) await run('chown', ['-R', '--reference', server.confdir, file('')]);
  certificate = new X509Certificate(await readFile(file('own.pem')));
  await configure(server, {
    ...{ SSL_CERTIFICATE: file('own.pem'), SSL_PRIVATE_KEY: file('own.key'), METRICS_PORT: metricsPort },
    ...{ MAIL_TRANSPORT: 'smtp', SMTP_HOST: '127.0.0.1', SMTP_PORT: smtp.port },
  });
  await server.orgtool(['add', '-n', 'one', '-c', 'finn@example.com,jake@example.com']);
  await server.orgtool(['add', '-n', 'two', '-c', 'finn@example.com']);
  await server.orgtool(['add', '-n', 'off', '-c', 'gone@example.com']);
  await server.orgtool(['disable', '-n', 'off']);
  await server.query('delete from graphile_worker._private_jobs');
});

/** The days that were left, and the mails that were queued, each time that this was done. */
async function notices(): Promise<string[]> {
  const words = ['audit', 'show', '--json', '--event', 'certificate.notice'];
  const lines = (await server.ktadmin(words)).stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const { what, outcome } = JSON.parse(line) as { what: Record<string, unknown>; outcome: string };
    expect([what.fingerprint, outcome]).toEqual([certificate.fingerprint256, 'done']);
    return `${String(what.days)} days, ${String(what.mails)} mails`;
  });
}

async function waiting(): Promise<string[]> {
  const listed = JSON.parse((await server.ktadmin(['mail', 'queue', '--json'])).stdout) as Record<
    string,
    unknown
  >[];
  return listed.map(({ kind, to, state }) => `${String(kind)} ${String(to)} ${String(state)}`);
}

const start = (days: number) => serving(server, { env: daysBefore(certificate, days), atEnd });

/** Stops a server, which ends only after it has looked. */
async function stop(running: Serving): Promise<void> {
  running.kill('SIGTERM');
  expect(await running.ended).toEqual({ status: 0, signal: null });
}

/** The mails that a server sends which starts so many days before; what a second one that day adds would be seen later. */
async function sentAt(days: number): Promise<{ to: string[]; subject: string | undefined; text: string }> {
  smtp.mails.length = 0;
  const running = await start(days);
  await until(() => smtp.mails.length >= 2, 'two mails arrive');
  await until(async () => (await waiting()).length === 0, 'the queue is empty');
  await stop(running);
  const [first] = smtp.mails;
  const raw = first?.raw ?? '';
  expect(taken(raw).headers['content-type']).toMatch(/^multipart\/signed;/);
  return {
    to: smtp.mails.flatMap(({ to }) => to).toSorted(),
    subject: taken(raw).headers.subject,
    text: textOf(partsOf(raw)[0] ?? ''),
  };
}

async function metric(): Promise<string | undefined> {
  const { stdout } = await run('curl', ['-s', `http://127.0.0.1:${metricsPort}/metrics`]);
  return /^keytrustee_certificate_expiry_days (\S+)$/m.exec(stdout)?.[1];
}

describe.skipIf(!hasFaketime)('needs faketime', () => {
  const everybody = ['finn@example.com', 'jake@example.com'];

  test('31 days before nothing is queued, also where it is looked again', async () => {
    const running = await start(31);
    await askServer(server.confdir, 'reload');
    await stop(running);
    expect([await notices(), await waiting(), smtp.mails]).toEqual([[], [], []]);
  });

  test('without mail, and on a passive server, nothing is queued and nothing is said', async () => {
    const readOnly = (value: string) =>
      server.query(`begin read write; alter database keytrustee ${value}; commit`);
    await configure(server, { MAIL_TRANSPORT: 'none' });
    await stop(await start(29));
    await configure(server, { MAIL_TRANSPORT: 'smtp' });
    await readOnly('set default_transaction_read_only = on');
    const passive = await start(29);
    await stop(passive);
    await readOnly('reset default_transaction_read_only');
    expect(passive.stderr()).not.toContain('could not be told');
    expect([await notices(), await waiting(), smtp.mails]).toEqual([[], [], []]);
  });

  test('29 days before every administrator gets one mail, and no second one that day', async () => {
    const { to, subject, text } = await sentAt(29);
    expect([to, subject]).toEqual([everybody, 'KeyTrustee Certificate Expires']);
    const [first, second] = certificate.fingerprint256.match(/.{47,48}/g) ?? [];
    const time = /\d\d:\d\d:\d\d/.exec(certificate.validTo)?.[0] ?? '';
    expect(text).toContain(`The TLS certificate by which clients know this server
expires in 29 days, on
`);
    expect(text).toContain(` ${time} `);
    expect(text).toContain(`  server       kts01.example.com:11371
  certificate  CN=kts01.example.com
  SHA-256      ${first}
               ${second}

From then on clients will refuse to talk to the server, and machines
do not get the keys that are kept there.

What is in use is shown, on the server, by

  ktadmin cert show
`);
    expect(text.split('\n').every((line) => line.length <= 76)).toBe(true);
    smtp.mails.length = 0;
    // One process: libfaketime's memory is root's, and a worker of another account sometimes may not open it.
    const again = await start(29);
    await askServer(server.confdir, 'reload');
    await stop(again);
    expect([await notices(), await waiting(), smtp.mails]).toEqual([['29 days, 2 mails'], [], []]);
  });

  test('what the mail server does not take waits, and the next day’s takes its place', async () => {
    smtp.judge = () => ({ code: 451, text: 'later' });
    smtp.tries = 0;
    for (const days of [28, 27]) {
      const running = await start(days);
      await until(async () => (await waiting()).join().match(/retrying/g)?.length === 2, 'both were tried');
      await stop(running);
    }
    expect(await waiting()).toEqual(everybody.map((to) => `certificate ${to} retrying`));
    expect(await notices()).toEqual(['29 days, 2 mails', '28 days, 2 mails', '27 days, 2 mails']);
    smtp.judge = () => undefined;
    await server.query('delete from graphile_worker._private_jobs');
  });

  test('a day before, and a day after, the words say so', async () => {
    const before = await sentAt(1);
    expect([before.to, before.subject]).toEqual([everybody, 'KeyTrustee Certificate Expires']);
    expect(before.text).toContain('know this server\nexpires in 1 day, on\n');
    const after = await sentAt(-1);
    expect([after.to, after.subject]).toEqual([everybody, 'KeyTrustee Certificate Expired']);
    expect(after.text).toContain('know this server\nexpired 1 day ago, on\n');
    expect(after.text).toContain('\nSince then clients refuse to talk to the server, and machines\n');
  });

  test('after a reload with an authority that expires earlier, metrics and mails are about that one', async () => {
    const running = await start(45);
    expect(await metric()).toBe('45');
    await configure(server, { SSL_CA_CERTIFICATE: file('root.pem') });
    smtp.mails.length = 0;
    await server.query('delete from graphile_worker._private_known_crontabs');
    await askServer(server.confdir, 'reload');
    expect(await metric()).toBe('25');
    await until(() => smtp.mails.length >= 2, 'two mails arrive');
    const text = textOf(partsOf(smtp.mails[0]?.raw ?? '')[0] ?? '');
    expect(text).toContain("sent with the server's TLS certificate\nexpires in 25 days, on\n");
    expect(text).toContain('  certificate  CN=Old Root\n');
    expect(text).toContain('\n  ktadmin cert rotate --cert FILE --key FILE --ca FILE\n');
    await stop(running);
  });
});
