/** What the pages leave behind: in the audit trail everything that was done and refused, and nowhere a secret. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKey, readKey } from 'openpgp';
import { expect, test } from 'vitest';
import { randomToken } from '../../../src/lib/core/random.ts';
import { addTestClient } from '../../support/database.ts';
import { pressButton, sendKeyForm, titleOf } from '../../support/forms.ts';
import { askContact, inviteContact, rowOf } from '../../support/links.ts';
import { freePort, testServer } from '../../support/sandbox.ts';
import { ask, configure, serving } from '../../support/serving.ts';

const FINN = 'finn@example.com';
const CLIENT = 'C'.repeat(40);

/** The lines of the audit trail that the server wrote. */
async function trailOf(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => /^server-.*jsonl$/.test(name)).toSorted();
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  return texts.flatMap((text) => text.trim().split('\n'));
}

const summary = (line: string) => {
  const { event, who, what, outcome, reason } = JSON.parse(line) as Record<string, unknown>;
  return [event, who, what, reason ?? outcome];
};

test('what is done and refused is in the audit trail; without it nothing is done; no token or key is in log or trail', async () => {
  const server = await testServer();
  await server.orgtool(['add', '-n', 'prod', '-c', FINN]);
  await addTestClient(server, 'prod', CLIENT);
  await configure(server, { MAIL_TRANSPORT: 'none', METRICS_PORT: await freePort() });
  const running = await serving(server, { args: ['--verbose'] });
  const key = await generateKey({ userIDs: [{ name: 'Finn', email: FINN }], format: 'armored' });
  const fingerprint = (await readKey({ armoredKey: key.publicKey })).getFingerprint().toUpperCase();
  const [invitation, unknown] = [await inviteContact(server, FINN), randomToken()];
  const approval = await askContact(server, FINN, CLIENT);
  const confirmed = { step: 'confirm', key: key.publicKey };
  await ask(running.port, `/?q=${invitation}`);
  await sendKeyForm(running, invitation, { key: key.privateKey });
  await sendKeyForm(running, invitation, confirmed);
  await sendKeyForm(running, invitation, confirmed);
  await sendKeyForm(running, unknown, confirmed);
  await ask(running.port, `/approval?q=${approval}&to=approve`);
  await pressButton(running, approval, 'decision=approved');
  await pressButton(running, approval, 'decision=denied');
  await pressButton(running, unknown, 'decision=denied');

  const directory = join(server.directory, 'audit');
  const lines = await trailOf(directory);
  const [who, contact] = [`contact:${FINN}`, { organization: 'prod', contact: FINN }];
  const about = lines.map(summary).filter(([event]) => /^(?:contact|client)\./.test(String(event)));
  expect(about).toEqual([
    ['contact.key', who, contact, 'it is a private key, which must never leave its owner'],
    ['contact.key', who, { ...contact, fingerprint, replaced: false }, 'done'],
    ['contact.key', who, contact, 'the link is used'],
    ['contact.key', 'unknown', {}, 'the link is unknown'],
    ['client.approve', who, { client: CLIENT, name: 'host-C', organization: 'prod' }, 'done'],
    ['client.deny', who, { client: CLIENT }, 'the link is decided'],
    ['client.deny', 'unknown', {}, 'the link is unknown'],
  ]);
  const written = `${running.stderr()}${lines.join('\n')}`;
  expect(written).toContain('"route":"/approval"');
  const secrets = [invitation, unknown, approval, key.privateKey.split('\n')[3] ?? ''];
  for (const secret of secrets) expect(written).not.toContain(secret);

  const second = await inviteContact(server, FINN);
  await rm(directory, { recursive: true });
  const refused = await sendKeyForm(running, second, confirmed);
  expect(refused.status).toBeGreaterThanOrEqual(500);
  expect(titleOf(refused)).toBe('This does not work now');
  expect(await rowOf(server, 'select count(*) from public.contact_invitation where used_at is null')).toEqual(
    {
      count: 1,
    },
  );
  // defect: a server whose audit directory is gone did not end, because the port of its metrics stayed open.
  running.kill('SIGTERM');
  expect(await running.ended).toEqual({ status: 143, signal: null });
});
