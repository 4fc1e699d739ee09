/** The whole way of a machine: server, database, mail server, browser and client, all of them real. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decrypt, generateKey, readKey, readMessage, readPrivateKey } from 'openpgp';
import { expect, test } from 'vitest';
import { sharedBrowser } from '../../support/browser.ts';
import { kt, type TestServer, testServer, until } from '../../support/sandbox.ts';
import { ask, configure, type Serving, serving } from '../../support/serving.ts';
import { type MailServer, mailServer, partsOf, taken, textOf } from '../../support/smtp.ts';

const browser = sharedBrowser();
const FINN = 'finn@example.com';

/** The next mail that arrives. */
async function nextMail(smtp: MailServer): Promise<string> {
  await until(() => smtp.mails.length > 0, 'a mail arrives');
  const [mail] = smtp.mails.splice(0, 1);
  expect(mail?.to).toEqual([FINN]);
  return mail?.raw ?? '';
}

/** The links of a mail, as the browser of this test reaches them: the host's name leads nowhere here. */
function linksOf(text: string, { port }: Serving): string[] {
  const links = [...text.matchAll(/^https:\/\/kts01\.example\.com:\d+(\/\S*\?q=[0-9A-Za-z]{43}\S*)$/gm)];
  return links.map(([, path]) => `https://127.0.0.1:${port}${path}`);
}

/** The text of a mail that is encrypted to a contact and signed by the server, whose key the server's page offers. */
async function readSealed(raw: string, privateKey: string, { port }: Serving): Promise<string> {
  const opened = await decrypt({
    message: await readMessage({ armoredMessage: taken(partsOf(raw)[1] ?? '').body }),
    decryptionKeys: await readPrivateKey({ armoredKey: privateKey }),
    verificationKeys: await readKey({ armoredKey: (await ask(port, '/server-key.asc')).body }),
    format: 'binary',
  });
  expect(await opened.signatures[0]?.verified).toBe(true);
  return textOf(Buffer.from(opened.data).toString('latin1'));
}

/** A contact registers a key by the link of the mail that comes when he is added. */
async function registerKey(link: string, publicKey: string): Promise<void> {
  const { page, complaints } = await browser.visit({ javaScriptEnabled: false });
  await page.goto(link);
  await page.getByLabel('Paste your public key').fill(publicKey);
  await page.getByRole('button', { name: 'Check this key' }).click();
  await page.getByRole('button', { name: 'Yes, register this key' }).click();
  await page.getByRole('heading', { name: 'Your key is registered' }).waitFor();
  expect(complaints).toEqual([]);
}

/** A line of the audit trail, as far as this test looks at it. */
interface Line {
  who: string;
  event: string;
  outcome: string;
  reason?: string;
  what: Record<string, unknown>;
}

/** What the server wrote into the audit trail, in its order. */
async function auditOf(server: TestServer): Promise<Line[]> {
  const directory = join(server.directory, 'audit');
  const names = (await readdir(directory)).filter((name) => /^server-.*jsonl$/.test(name)).toSorted();
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  return texts.flatMap((text) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line),
  );
}

test('a machine asks, a contact approves it by a mailed link, it keeps a key and fetches it, and is stopped', async () => {
  const server = await testServer();
  const smtp = await mailServer();
  const mail = { MAIL_TRANSPORT: 'smtp', SMTP_HOST: '127.0.0.1', SMTP_PORT: smtp.port };
  await configure(server, mail);
  const running = await serving(server);

  // The contact is invited, and gives a key.
  expect((await server.orgtool(['add', '-n', 'prod', '-c', FINN])).status).toBe(0);
  const invitation = textOf(partsOf(await nextMail(smtp))[0] ?? '');
  const contact = await generateKey({ userIDs: [{ name: 'Finn', email: FINN }], format: 'armored' });
  await registerKey(linksOf(invitation, running)[0] ?? '', contact.publicKey);

  // A machine asks without a code, and is told to wait.
  const env = { HOME: server.directory, KEYTRUSTEE_HOME: join(server.directory, 'machine') };
  const keytrustee = (...args: string[]) => kt('keytrustee', args, { env });
  const url = `https://127.0.0.1:${running.port}`;
  const asked = await keytrustee(
    'register',
    '--server',
    url,
    '--org',
    'prod',
    '--auth',
    '',
    '--skip-ssl-check',
    '--json',
  );
  const { fingerprint, state } = JSON.parse(asked.stdout) as Record<string, string>;
  expect(state).toBe('pending');
  const file = join(server.directory, 'disk.key');
  await writeFile(file, 'the key of a disk');
  expect(await keytrustee('put', '--handle', 'disk', file)).toMatchObject({ status: 3 });

  // The contact gets an encrypted mail, and approves the machine in the browser.
  const text = await readSealed(await nextMail(smtp), contact.privateKey, running);
  expect(text).toContain(fingerprint);
  const [approve = ''] = linksOf(text, running);
  const { page, complaints } = await browser.visit();
  await page.goto(approve);
  expect((await page.getByRole('main').innerText()).replaceAll(' ', '')).toContain(fingerprint);
  await page.getByRole('button', { name: 'Approve this machine' }).click();
  await page.getByRole('heading', { name: 'The machine is approved' }).waitFor();
  expect(complaints).toEqual([]);

  // The machine keeps a key and fetches it again, until it is stopped.
  expect(await keytrustee('put', '--handle', 'disk', file)).toMatchObject({ status: 0 });
  const fetched = join(server.directory, 'fetched.key');
  expect(await keytrustee('get', 'disk', '-o', fetched)).toMatchObject({ status: 0 });
  expect(await readFile(fetched, 'utf8')).toBe('the key of a disk');
  const stopped = await server.orgtool(['disable-client', '--fingerprint', fingerprint ?? '']);
  expect(stopped.status).toBe(0);
  const refused = await keytrustee('get', 'disk', '-o', `${fetched}.again`);
  expect([refused.status, refused.stderr]).toEqual([4, expect.stringContaining('this client was stopped')]);

  // All of it is in the audit trail, and no secret of it in the log.
  const [client, finn] = [`client:${fingerprint}`, `contact:${FINN}`];
  const trail = await auditOf(server);
  const done = trail.filter(({ outcome }) => outcome === 'done').map(({ who, event }) => `${who} ${event}`);
  const way = [
    `${finn} contact.key`,
    `${client} client.register`,
    `${finn} client.approve`,
    `${client} deposit.put`,
    `${client} deposit.get`,
  ];
  expect(done.filter((line) => way.includes(line))).toEqual(way);
  const refusals = trail.filter(({ outcome, what }) => outcome === 'refused' && what.client === fingerprint);
  expect(refusals.map(({ reason }) => reason)).toEqual(['client_pending', 'client_disabled']);
  for (const token of `${invitation}${text}`.match(/(?<=q=)[0-9A-Za-z]{43}/g) ?? [])
    expect(running.stderr()).not.toContain(token);
}, 120_000);
