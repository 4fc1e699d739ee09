import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { enqueueMail, type MailJob } from '../../../src/lib/mail/queue.ts';
import { onDatabase } from '../../support/database.ts';
import { keyring } from '../../support/keyring.ts';
import { asAccount, run, sharedServer, temporaryDirectory, until } from '../../support/sandbox.ts';
import { configure, type Serving, serving } from '../../support/serving.ts';
import { type MailServer, mailServer, partsOf, taken, textOf } from '../../support/smtp.ts';

const server = sharedServer();
/** What is ended with the file; some of it begins within a test. */
const cleanUps: (() => Promise<void>)[] = [];
const atEnd = (cleanUp: () => Promise<void>) => void cleanUps.push(cleanUp);
afterAll(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});

let smtp: MailServer;
let running: Serving;

beforeAll(async () => {
  smtp = await mailServer({}, { atEnd });
  await configure(server, { MAIL_TRANSPORT: 'smtp', SMTP_HOST: '127.0.0.1', SMTP_PORT: smtp.port });
  running = await serving(server, { atEnd });
});

beforeEach(() => {
  smtp.mails.length = 0;
  smtp.tries = 0;
  smtp.judge = () => undefined;
});

const add = (organization: string, contact = 'finn@example.com') =>
  server.orgtool(['add', '-n', organization, '-c', contact]);
const queue = async () =>
  JSON.parse((await server.ktadmin(['mail', 'queue', '--json'])).stdout) as Record<string, unknown>[];
const enqueue = (job: MailJob) => onDatabase(server, (database) => enqueueMail(database, job));
const arrives = async (count = 1) => {
  await until(() => smtp.mails.length >= count, `${count} mails arrive`);
  await until(async () => (await queue()).length === 0, 'the queue is empty');
  return smtp.mails.map(({ raw }) => raw);
};
const due = () =>
  server.query('update graphile_worker._private_jobs set run_at = now() where locked_at is null');
const inLetters = (text: string) => `${text.slice(0, 3)} \\w{3} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d \\d{4} UTC`;

/** The token of a link in a mail's text. */
const tokenOf = (text: string) =>
  /^https:\/\/kts01\.example\.com:\d+\/\?q=([0-9A-Za-z]{43})$/m.exec(text)?.[1] ?? '';
const sha256 = (token: string) => createHash('sha256').update(token).digest('hex');

test('orgtool add invites the contact; of the token only the hash stays, and the mail says how long it holds', async () => {
  await add('invited');
  const [raw = ''] = await arrives();
  expect(taken(raw).headers).toMatchObject({
    to: 'finn@example.com',
    subject: 'KeyTrustee Contact Registration',
  });
  const text = textOf(partsOf(raw)[0] ?? '');
  expect(text).toContain('\n\n[invited]\n\n');
  expect(text).toContain(`\n${server.fingerprint}\n`);
  const token = tokenOf(text);
  const row = await server.query(
    `select encode(token_hash, 'hex'), to_char(expires_at at time zone 'UTC', 'Dy Mon FMDD HH24:MI:SS YYYY'), expires_at - created_at
     from public.contact_invitation`,
  );
  const [hash, end = '', life] = row.split('|');
  expect([hash, life]).toEqual([sha256(token), '12:00:00']);
  expect(text.replace(/ {2}(\d)/, ' $1')).toContain(`until ${end} UTC.`);
  expect(text).toMatch(new RegExp(`until ${inLetters(end)}\\.`));
  expect(running.stderr()).not.toContain(token);
});

test('a contact with a key gets mail that only it can read, signed inside', async () => {
  const ring = await keyring(await temporaryDirectory());
  const key = await ring.make('Ann');
  await server.query(
    "insert into public.organization (uuid, name, auth_secret) values (repeat('a', 43), 'sealed', 's')",
  );
  const armoured = await ring.gpg(['--armor', '--export', key]);
  const contactId = await server.query(
    `insert into public.contact (organization_id, email, public_key)
     select id, 'ann@example.com', '${armoured}' from public.organization where name = 'sealed' returning id`,
  );
  await enqueue({ kind: 'invitation', contactId: contactId.split('\n')[0] ?? '' });
  const [raw = ''] = await arrives();
  expect(taken(raw).headers['content-type']).toMatch(
    /^multipart\/encrypted; protocol="application\/pgp-encrypted"; /,
  );
  expect(raw).not.toContain('sealed]');
  const [version = '', sealed = ''] = partsOf(raw);
  expect(taken(version)).toMatchObject({
    headers: { 'content-type': 'application/pgp-encrypted' },
    body: 'Version: 1\r\n',
  });
  const keys = ['--no-default-keyring', '--keyring', join(server.confdir, 'pubring.kbx')];
  const exported = await asAccount('gpg', [
    '--homedir',
    ring.home,
    '--batch',
    ...keys,
    '--armor',
    '--export',
  ]);
  await ring.gpg(['--import'], { input: exported.stdout });
  const path = join(ring.home, 'mail.asc');
  await writeFile(path, taken(sealed).body, { mode: 0o644 });
  const opened = await asAccount('gpg', [
    '--homedir',
    ring.home,
    '--batch',
    '--status-fd',
    '2',
    '--decrypt',
    path,
  ]);
  expect(opened.stderr).toContain(`VALIDSIG ${server.fingerprint.replace(/^.*\//, '')}`);
  expect(textOf(opened.stdout)).toContain('\n\n[sealed]\n\n');
  await server.query("delete from public.organization where name = 'sealed'");
});

/** A client that waits for an approval, and who is asked. */
async function pendingClient(organization: string, name: string) {
  await add(organization);
  await arrives();
  smtp.mails.length = 0;
  smtp.tries = 0;
  const fingerprint = createHash('sha1').update(organization).digest('hex').toUpperCase();
  const answer = await server.query(
    `with client as (insert into public.client (organization_id, fingerprint, name, public_key)
       select id, '${fingerprint}', ${name}, 'k' from public.organization where name = '${organization}' returning id, organization_id)
     select client.id, contact.id from client join public.contact using (organization_id)`,
  );
  const [clientId = '', contactId = ''] = answer.split('|');
  return { fingerprint, job: { kind: 'approval', clientId, contactId } as const };
}

test('an approval says who asks, with a link for yes and one for no; the same request is mailed once', async () => {
  const { fingerprint, job } = await pendingClient('asked', "E'backup\\nhöst \\u202e1'");
  await onDatabase(server, async (database) => {
    await database.query('begin');
    await enqueueMail(database, job);
    await enqueueMail(database, { ...job, address: '192.0.2.7' });
    await database.query('commit');
  });
  const mails = await arrives();
  expect(mails).toHaveLength(1);
  expect(taken(mails[0] ?? '').headers.subject).toBe('KeyTrustee Client Approval');
  const text = textOf(partsOf(mails[0] ?? '')[0] ?? '');
  expect(text).toContain(
    `[asked]\n\n  fingerprint  ${fingerprint}\n  name         "backup?höst ?1"\n  address      192.0.2.7\n`,
  );
  const links = [
    ...text.matchAll(/^https:\/\/kts01\.example\.com:\d+\/approval\?q=([0-9A-Za-z]{43})&to=(\w+)$/gm),
  ];
  expect(links.map(([, , to]) => to)).toEqual(['approve', 'deny']);
  const stored = await server.query(
    "select encode(token_hash, 'hex'), expires_at - created_at from public.client_approval",
  );
  expect(links.map(([, token = '']) => `${sha256(token)}|12:00:00`)).toEqual([stored, stored]);
});

test('what is over meanwhile sends nothing: a contact removed, an organization stopped, a client decided on', async () => {
  const { job } = await pendingClient('over', "'x'");
  await server.query("update public.client set state = 'active'");
  await server.query("update public.organization set state = 1 where name = 'over'");
  await enqueue(job);
  await enqueue({ kind: 'invitation', contactId: job.contactId });
  await enqueue({ kind: 'invitation', contactId: '999999' });
  await until(async () => (await queue()).length === 0, 'the queue is empty');
  expect(smtp.tries).toBe(0);
});

test('a mail that is put off is tried again with a new token; no token stays where errors are kept', async () => {
  const refused: string[] = [];
  smtp.drops = Number.POSITIVE_INFINITY;
  smtp.judge = (raw) => {
    const text = textOf(partsOf(raw)[0] ?? '');
    refused.push(tokenOf(text));
    return {
      code: 451,
      text: `come later with ${text.slice(text.indexOf('https'), text.indexOf('Registering'))}`.replace(
        /\s+/g,
        ' ',
      ),
    };
  };
  await add('later', 'ann@example.com');
  await until(async () => (await queue())[0]?.state === 'retrying', 'the connection is cut');
  expect((await queue())[0]?.lastError).toMatch(/^127\.0\.0\.1:\d+ does not answer: /);
  smtp.drops = 0;
  await until(async () => {
    await due();
    return String((await queue())[0]?.lastError).includes('451');
  }, 'the mail is put off');
  const [mail] = await queue();
  expect(mail).toMatchObject({ kind: 'invitation', to: 'ann@example.com', organization: 'later' });
  expect(mail?.lastError).toContain(
    'refuses the mail: Message failed: 451 come later with https://kts01.example.com:',
  );
  expect(refused[0]).toMatch(/^[0-9A-Za-z]{43}$/);
  expect(JSON.stringify(await queue())).not.toContain(refused[0]);
  smtp.judge = () => undefined;
  await until(async () => {
    await due();
    return smtp.mails.length > 0;
  }, 'it is taken');
  const [raw = ''] = await arrives();
  const token = tokenOf(textOf(partsOf(raw)[0] ?? ''));
  expect(refused).not.toContain(token);
  const live = await server.query(
    `select encode(token_hash, 'hex') from public.contact_invitation
     where contact_id = (select id from public.contact where email = 'ann@example.com') and used_at is null`,
  );
  expect(live).toBe(sha256(token));
  for (const one of [...refused, token]) expect(running.stderr()).not.toContain(one);
});

test('a mail is given up loudly, shown, and tried again when somebody says so', async () => {
  smtp.judge = () => ({ code: 550, text: 'no such mailbox' });
  await add('lost', 'gone@example.com');
  await until(async () => (await queue())[0]?.state === 'retrying', 'it is tried');
  await until(async () => {
    await server.query(
      `update graphile_worker._private_jobs set attempts = max_attempts - 1, run_at = now()
       where locked_at is null and attempts < max_attempts`,
    );
    return (await queue())[0]?.state === 'given-up';
  }, 'it is given up');
  expect(running.stderr()).toMatch(
    /"level":"error".*mail: invitation to contact \d+ is given up: .*550 no such mailbox/,
  );
  const trail = await run('grep', ['-rh', '"mail.failed"', join(server.directory, 'audit')]);
  expect(trail.stdout).toMatch(/^\{.*"kind":"invitation".*"outcome":"failed".*550 no such mailbox.*\}\n$/);
  const shown = await server.ktadmin(['mail', 'queue']);
  expect(shown.stdout).toMatch(
    /^id +kind +state .*\n\d+ +invitation +given-up +gone@example\.com +lost +17 +- +.*550 no such mailbox\n$/,
  );
  smtp.judge = () => undefined;
  const retried = await server.ktadmin(['mail', 'retry', '--json']);
  expect(JSON.parse(retried.stdout)).toEqual({ retried: 1 });
  expect(await arrives()).toHaveLength(1);
});

test('the database may restart, and the server may be killed while a mail leaves', async () => {
  expect((await server.ktadmin(['db', 'restart'])).status).toBe(0);
  await add('restarted');
  expect(await arrives()).toHaveLength(1);
  smtp.judge = () => {
    running.kill('SIGKILL');
    return { code: 451, text: 'not now' };
  };
  await add('killed');
  await running.ended;
  expect((await queue())[0]).toMatchObject({ state: 'sending', organization: 'killed' });
  await server.query('update graphile_worker._private_jobs set attempts = max_attempts');
  smtp.judge = () => undefined;
  running = await serving(server, { atEnd });
  expect(await arrives(2)).toHaveLength(2);
});

test('a stop does not wait for a mail server that says nothing; without a transport mails wait until there is one', async () => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void silent.close());
  const asked = new Promise((resolve) => silent.once('connection', resolve));
  await configure(server, { SMTP_PORT: (silent.address() as { port: number }).port });
  running.kill('SIGHUP');
  await until(() => running.stderr().includes('reloaded: settings'), 'the settings are read again');
  await add('silent');
  await asked;
  running.kill('SIGTERM');
  await running.ended;
  expect((await queue())[0]).toMatchObject({ organization: 'silent', attempts: 1 });

  await configure(server, { MAIL_TRANSPORT: 'none', SMTP_PORT: smtp.port });
  running = await serving(server, { atEnd });
  await add('none');
  expect(await queue()).toHaveLength(2);
  await configure(server, { MAIL_TRANSPORT: 'smtp' });
  running.kill('SIGHUP');
  expect(await arrives(2)).toHaveLength(2);
});
