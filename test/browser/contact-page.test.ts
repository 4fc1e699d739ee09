import { generateKey, readKey } from 'openpgp';
import { beforeAll, expect, test } from 'vitest';
import { sharedBrowser } from '../support/browser.ts';
import { inviteContact, rowOf } from '../support/links.ts';
import { sharedServer } from '../support/sandbox.ts';
import { configure, sharedServing } from '../support/serving.ts';

const server = sharedServer();
// A mail that is sent would make links of its own, which take the place of those made here.
const served = sharedServing(server, () => configure(server, { MAIL_TRANSPORT: 'none' }));
const browser = sharedBrowser();
const [FINN, JAKE, BMO] = ['finn@example.com', 'jake@example.com', 'bmo@example.com'];
let key: { publicKey: string; privateKey: string };
let fingerprint: string;

beforeAll(async () => {
  await server.orgtool(['add', '-n', 'disaster-recov', '-c', `${FINN},${JAKE},${BMO}`]);
  key = await generateKey({ userIDs: [{ name: 'Finn', email: FINN }], format: 'armored' });
  fingerprint = (await readKey({ armoredKey: key.publicKey })).getFingerprint().toUpperCase();
});

const at = (token: string) => `https://127.0.0.1:${served.port}/?q=${token}`;

/** The fingerprint of the key that the server has of a contact. */
async function stored(email: string): Promise<string | undefined> {
  const sql = 'select public_key from public.contact where email = $1';
  const { public_key: armoredKey } = (await rowOf(server, sql, [email])) as { public_key: string | null };
  return armoredKey === null ? undefined : (await readKey({ armoredKey })).getFingerprint().toUpperCase();
}

test('a contact pastes a key, sees it and confirms it, without scripts', async () => {
  const { page, complaints, look } = await browser.visit({ javaScriptEnabled: false });
  const link = at(await inviteContact(server, FINN));
  await page.goto(link);
  await look('key-form');
  await page.getByLabel('Paste your public key').fill(key.privateKey);
  await page.getByRole('button', { name: 'Check this key' }).click();
  await look('key-private');
  expect(await page.getByRole('alert').innerText()).toContain('Do not give it to anybody');
  expect(await page.content()).not.toContain(key.privateKey.split('\n')[3]);
  await page.getByLabel('Paste your public key').fill(key.publicKey);
  await page.getByRole('button', { name: 'Check this key' }).click();
  await look('key-confirm');
  expect(await stored(FINN)).toBeUndefined();
  const shown = await page.getByRole('main').innerText();
  expect(shown.replaceAll(' ', '')).toContain(fingerprint);
  expect(shown).toContain('Finn <finn@example.com>');
  await page.getByRole('button', { name: 'Yes, register this key' }).click();
  await look('key-done');
  expect(await stored(FINN)).toBe(fingerprint);
  await page.goto(link);
  await look('key-used');
  expect(await page.getByRole('heading').innerText()).toBe('This link has been used');
  expect(complaints).toEqual([]);
});

test('a contact chooses a binary file, and is told that no name in it is his', async () => {
  const { page, complaints, look } = await browser.visit();
  await page.goto(at(await inviteContact(server, JAKE)));
  const buffer = Buffer.from((await readKey({ armoredKey: key.publicKey })).write());
  const file = { name: 'finn.gpg', mimeType: 'application/octet-stream', buffer };
  await page.getByLabel('Or choose a file with it').setInputFiles(file);
  await page.getByRole('button', { name: 'Check this key' }).click();
  await look('key-stranger');
  expect(await page.getByRole('main').innerText()).toContain(`None of its names has the address ${JAKE}`);
  await page.getByRole('link', { name: 'No, choose another one' }).click();
  await page.getByLabel('Or choose a file with it').setInputFiles(file);
  await page.getByRole('button', { name: 'Check this key' }).click();
  await page.getByRole('button', { name: 'Yes, register this key' }).click();
  expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('Your key is registered');
  expect(await stored(JAKE)).toBe(fingerprint);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: "Download the server's public key" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('keytrustee-server-key.asc');
  expect(complaints).toEqual([]);
});

test('the keyboard alone is enough, and shows where it is', async () => {
  const { page } = await browser.visit();
  await page.goto(at(await inviteContact(server, BMO)));
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement as HTMLElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const words = element.id || element.textContent?.trim();
      return `${words}: ${outlineStyle} ${outlineWidth}`;
    });
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('key: solid 3px');
  await page.keyboard.insertText(key.publicKey);
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('file: solid 3px');
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('Check this key: solid 3px');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Is this your key?' }).waitFor();
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('Yes, register this key: solid 3px');
  await page.keyboard.press('Space');
  await page.getByRole('heading', { name: 'Your key is registered' }).waitFor();
  expect(await stored(BMO)).toBe(fingerprint);
});
