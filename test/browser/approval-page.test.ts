import { beforeAll, expect, test } from 'vitest';
import { sharedBrowser } from '../support/browser.ts';
import { addTestClient } from '../support/database.ts';
import { askContact, rowOf } from '../support/links.ts';
import { sharedServer } from '../support/sandbox.ts';
import { configure, sharedServing } from '../support/serving.ts';

const server = sharedServer();
// A mail that is sent would make links of its own, which take the place of those made here.
const served = sharedServing(server, () => configure(server, { MAIL_TRANSPORT: 'none' }));
const browser = sharedBrowser();
const [FINN, JAKE] = ['finn@example.com', 'jake@example.com'];
const [FIRST, SECOND] = ['A'.repeat(40), 'B'.repeat(40)];

beforeAll(async () => {
  await server.orgtool(['add', '-n', 'disaster-recov', '-c', `${FINN},${JAKE}`]);
  await addTestClient(server, 'disaster-recov', FIRST);
  await addTestClient(server, 'disaster-recov', SECOND);
});

const at = (token: string, to: string) => `https://127.0.0.1:${served.port}/approval?q=${token}&to=${to}`;
const stateOf = (fingerprint: string) =>
  rowOf(server, 'select state from public.client where fingerprint = $1', [fingerprint]);

test('a contact approves a machine, and the other one is told who did', async () => {
  const { page, complaints, look } = await browser.visit({ javaScriptEnabled: false });
  const tokens = [await askContact(server, FINN, FIRST), await askContact(server, JAKE, FIRST)];
  await page.goto(at(tokens[1] ?? '', 'deny'));
  await page.goto(at(tokens[0] ?? '', 'approve'));
  await look('approval');
  expect(await stateOf(FIRST)).toEqual({ state: 'pending' });
  const shown = await page.getByRole('main').innerText();
  for (const words of ['disaster-recov', 'host-A', 'AAAA AAAA AAAA AAAA']) expect(shown).toContain(words);
  await page.getByRole('button', { name: 'Approve this machine' }).click();
  await look('approved');
  expect(await stateOf(FIRST)).toEqual({ state: 'active' });
  await page.goto(at(tokens[1] ?? '', 'deny'));
  expect(await page.getByRole('heading').innerText()).toBe('The machine is approved');
  expect(await page.getByRole('main').innerText()).toContain(`${FINN} approved it on`);
  expect(await page.getByRole('button').count()).toBe(0);
  expect(complaints).toEqual([]);
});

test('a contact denies a machine with the keyboard', async () => {
  const { page, complaints, look } = await browser.visit();
  await page.goto(at(await askContact(server, JAKE, SECOND), 'deny'));
  await look('denial');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'The machine is denied' }).waitFor();
  await look('denied');
  expect(await stateOf(SECOND)).toEqual({ state: 'disabled' });
  expect(complaints).toEqual([]);
});
