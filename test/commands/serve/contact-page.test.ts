import { generateKey, readKey } from 'openpgp';
import { beforeAll, expect, test } from 'vitest';
import { randomToken } from '../../../src/lib/core/random.ts';
import { sendKeyForm, titleOf } from '../../support/forms.ts';
import { inviteContact, rowOf } from '../../support/links.ts';
import { sharedServer } from '../../support/sandbox.ts';
import { ask, configure, sharedServing } from '../../support/serving.ts';

const server = sharedServer();
// A mail that is sent would make links of its own, which take the place of those made here.
const served = sharedServing(server, () => configure(server, { MAIL_TRANSPORT: 'none' }));
const FINN = 'finn@example.com';
let key: { publicKey: string; privateKey: string };

beforeAll(async () => {
  await server.orgtool(['add', '-n', 'prod', '-c', FINN]);
  key = await generateKey({ userIDs: [{ name: 'Finn', email: FINN }], format: 'armored' });
});

const send = (token: string, fields: Record<string, string | Blob>, headers?: Record<string, string>) =>
  sendKeyForm(served, token, fields, headers);
const confirm = (token: string, headers?: Record<string, string>) =>
  send(token, { step: 'confirm', key: key.publicKey }, headers);
const state = () =>
  rowOf(
    server,
    `select (select public_key is not null from public.contact) as has_key,
            (select count(*) from public.contact_invitation where used_at is not null) as used`,
  );

test('the fingerprint is answered at the same path, and every page tells a browser to keep to itself', async () => {
  const { status, body } = await ask(served.port, '/?a=fingerprint');
  expect({ status, body }).toEqual({ status: 200, body: server.fingerprint });
  const page = await ask(served.port, `/?q=${await inviteContact(server, FINN)}`);
  expect(page).toMatchObject({
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy':
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'x-robots-tag': 'noindex, nofollow',
    },
  });
  expect(page.headers['set-cookie']).toBeUndefined();
  const css = await ask(served.port, '/style.css');
  expect([css.status, css.headers['content-type']]).toEqual([200, 'text/css; charset=utf-8']);
  const { body: armoredKey } = await ask(served.port, '/server-key.asc');
  const own = await readKey({ armoredKey });
  expect(`4096R/${own.getFingerprint().toUpperCase()}`).toBe(server.fingerprint);
  expect(own.isPrivate()).toBe(false);
});

test('following a link, also with HEAD or many times, uses nothing up; only the confirmation does, and once', async () => {
  const token = await inviteContact(server, FINN);
  const before = await state();
  for (const method of ['GET', 'HEAD', 'GET']) {
    expect((await ask(served.port, `/?q=${token}`, { method })).status).toBe(200);
  }
  expect(titleOf(await send(token, { key: key.publicKey }))).toBe('Is this your key?');
  expect(await state()).toEqual(before);
  const answers = await Promise.all([confirm(token), confirm(token), confirm(token)]);
  expect(answers.map(titleOf).toSorted()).toEqual([
    'This link has been used',
    'This link has been used',
    'Your key is registered',
  ]);
  expect(await state()).toMatchObject({ has_key: true });
  expect((await ask(served.port, `/?q=${token}`)).status).toBe(410);
});

test('every other link of the contact is used up with the first one', async () => {
  const [first, second] = [await inviteContact(server, FINN), await inviteContact(server, FINN)];
  expect((await confirm(first)).status).toBe(200);
  expect(titleOf(await confirm(second))).toBe('This link has been used');
});

test('unknown, malformed and missing tokens are answered alike, and an expired one says so', async () => {
  const unknown = await ask(served.port, `/?q=${randomToken()}`);
  expect([unknown.status, titleOf(unknown)]).toEqual([404, 'This link does not work']);
  for (const path of ['/?q=', '/?q=x', '/?q=a&q=b', `/?q=${'%00'.repeat(40)}`, '/?q=%F0%9F%94%91']) {
    const { status, body } = await ask(served.port, path);
    expect({ status, body }).toEqual({ status: 404, body: unknown.body });
  }
  const expired = await inviteContact(server, FINN, 'expired');
  for (const answer of [await ask(served.port, `/?q=${expired}`), await confirm(expired)])
    expect([answer.status, titleOf(answer)]).toEqual([410, 'This link has expired']);
});

test('a private key is refused, and nothing of it is stored or shown (OP-9)', async () => {
  const token = await inviteContact(server, FINN);
  const secret = key.privateKey.split('\n')[3] ?? '';
  for (const fields of [{ key: key.privateKey }, { file: new Blob([key.privateKey]), step: 'confirm' }]) {
    const answer = await send(token, fields);
    expect([answer.status, titleOf(answer)]).toEqual([
      422,
      'Problem: That is a private key. Do not give it to anybody!',
    ]);
    expect(answer.body).not.toContain(secret);
  }
  const sql = `select count(*) from public.contact where public_key like '%' || $1 || '%'`;
  expect(await rowOf(server, sql, [secret])).toEqual({ count: 0 });
});

test('what is too large, not a form, or not from this page is refused in words', async () => {
  const token = await inviteContact(server, FINN);
  const large = await send(token, { key: `${key.publicKey}${' '.repeat(64 * 1024)}` });
  expect([large.status, titleOf(large)]).toEqual([422, 'Problem: That is too large']);
  const huge = await send(token, { file: new Blob([Buffer.alloc(5 * 1024 * 1024, 0x99)]) });
  expect(titleOf(huge)).toBe('Problem: That is too large');
  const type = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
  const strange = await ask(served.port, `/?q=${token}`, type);
  expect(strange.headers['content-type']).toBe('text/html; charset=utf-8');
  expect(strange.status).toBe(400);
  const foreign = [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://elsewhere.example.com' }];
  for (const headers of foreign) expect((await confirm(token, headers)).status).toBe(400);
  expect((await confirm(token, { origin: 'null', 'sec-fetch-site': 'same-origin' })).status).toBe(200);
});

test('names in keys cannot put anything into the page', async () => {
  const token = await inviteContact(server, FINN);
  const userIDs = [{ name: '<script>alert(1)</script> "\'&' }];
  const { publicKey } = await generateKey({ userIDs, format: 'armored' });
  const { body } = await send(token, { key: publicKey });
  expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  expect(body).not.toContain('<script');
});
