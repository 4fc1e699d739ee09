/** What the client reads between two servers, of which one is silent, slow, behind, or not who it should be. */
import { expect, onTestFinished, test } from 'vitest';
import { clientHomes, failed, newPair, opener, promote } from '../../support/client-pair.ts';
import { responder, type Store, silentListener } from '../../support/responder.ts';

const homeFor = clientHomes();
/** Enough for a first try on a busy machine. */
const LIMIT = 2500;
const secret = Buffer.from('secret');

test('"no such deposit" is believed of the active server, never of one that may not have it', async () => {
  const pair = await newPair(homeFor);
  const client = await pair.open(LIMIT);
  const id = 'x'.repeat(43);
  expect(await failed(client.get(id))).toMatchObject({ code: 'notFound' });
  pair.active.reply = () => 'cut';
  const silent = `${pair.active.url} does not answer (ECONNRESET)`;
  expect(await failed(client.get(id))).toMatchObject({
    code: 'unreachable',
    message: `${silent}; ${pair.passive.url}: there is no such deposit`,
  });
  promote(pair);
  expect(await failed((await pair.open()).get(id))).toMatchObject({ code: 'notFound' });
  // An old active server that was cut off with this client says that it is the active one, and has not what came later.
  await (await pair.open()).put(secret);
  Object.assign(pair.active, { role: 'active', reply: () => undefined });
  pair.passive.reply = () => 'cut';
  expect(await failed((await pair.open(LIMIT)).get(id))).toMatchObject({ code: 'unreachable' });
});

test('a server that takes the connection and says nothing does not keep a read, nor a write, from the other', async () => {
  const store: Store = new Map();
  const [silent, other] = [await silentListener(), await responder(store)];
  onTestFinished(() => silent.close());
  onTestFinished(() => other.close());
  other.role = 'active';
  const warnings: string[] = [];
  const home = await homeFor(silent.url, other.url);
  const client = await opener(home, warnings)(20_000);
  const { id } = await client.put(secret);
  expect(warnings).toEqual([`${silent.url} does not answer (nothing in 3 seconds); ${other.url} answered`]);
  const reader = await opener(await homeFor(silent.url, other.url), warnings)(20_000);
  for (let read = 0; read < 3; read += 1) await reader.get(id);
  // It is not waited for again and again.
  expect(warnings.slice(1)).toEqual([
    `${silent.url} does not answer (nothing in 2 seconds); ${other.url} answered`,
  ]);
});

test('a server that is slow is not given up for one that refuses', async () => {
  const pair = await newPair(homeFor);
  const { id } = await (await pair.open()).put(secret);
  let asked = 0;
  pair.active.reply = (method) => (method === 'GET' && ++asked > 0 ? 'silent' : undefined);
  pair.passive.reply = (method) => {
    if (method !== 'GET') return undefined;
    // As with a deposit whose retrievals are counted: a second fetch at the active server could be one too many.
    return { status: 503, code: 'read_only' };
  };
  const { message } = await failed((await pair.open(LIMIT + 500)).get(id));
  expect(message).toContain(`${pair.active.url} does not answer (no answer in time)`);
  expect(asked).toBe(1);
});

test('a certificate that is not trusted at one server is no reason to stop at the other', async () => {
  const pair = await newPair(homeFor);
  const { id } = await (await pair.open()).put(secret);
  const home = await homeFor(pair.active.url.replace('localhost', '127.0.0.1'), pair.passive.url);
  const warnings: string[] = [];
  await (await opener(home, warnings)()).get(id);
  expect(warnings).toEqual([
    expect.stringMatching(
      /^the certificate of https:\/\/127\.0\.0\.1:\d+ is not trusted: .*; https:.* answered$/,
    ),
  ]);
  expect(pair.active.seen.at(-1)).toBe('POST /v1/deposits');
});

test('defect: many calls at once are no leak, and Node warns of none', async () => {
  const pair = await newPair(homeFor);
  const client = await pair.open();
  const { id } = await client.put(secret);
  const warnings: string[] = [];
  const hear = ({ name }: Error) => void warnings.push(name);
  process.on('warning', hear);
  onTestFinished(() => void process.off('warning', hear));
  await Promise.all(Array.from({ length: 20 }, () => client.get(id)));
  expect(warnings).toEqual([]);
});
