/** The client between two servers, of which one refuses to write, was replaced, or loses an answer. */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { clientHomes, failed, newPair, opener, promote, refusing } from '../../support/client-pair.ts';
import type { Responder } from '../../support/responder.ts';
import { freePort } from '../../support/sandbox.ts';

const homeFor = clientHomes();
const writes = ({ seen }: Responder) => seen.filter((each) => each.endsWith('/v1/deposits')).length;
/** Enough for a first try on a busy machine. */
const LIMIT = 2500;
const secret = Buffer.from('secret');

test('a write goes to the promoted server by itself, which is asked first from then on', async () => {
  const pair = await newPair(homeFor);
  const client = await pair.open();
  const first = await client.put(secret);
  expect(pair.passive.seen).toEqual([]);
  promote(pair);
  const second = await client.put(secret);
  const reason = `${pair.active.url}: its passive server was promoted, and it serves nobody`;
  expect(pair.warnings).toEqual([`${reason}; ${pair.passive.url} answered`]);
  const before = pair.active.seen.length;
  for (const { id } of [first, second])
    expect(Buffer.from((await client.get(id)).content).toString()).toBe('secret');
  const later = await pair.open();
  await later.put(secret);
  await later.get(first.id);
  expect([pair.active.seen.length, pair.warnings.length, pair.store.size]).toEqual([before, 1, 3]);
  expect(await readdir(join(pair.home, 'pending'))).toEqual([]);
});

test('what is damaged in the memory of the last writer is as if there were none', async () => {
  const pair = await newPair(homeFor);
  for (const text of ['', '{', '{"LAST_WRITER": "https://elsewhere:1"}']) {
    await writeFile(join(pair.home, 'client.state'), text, { mode: 0o600 });
    await (await pair.open()).put(secret);
  }
  expect([pair.store.size, pair.passive.seen]).toEqual([3, []]);
});

test('a put whose answer was lost is found at the promoted server, and stored once', async () => {
  const pair = await newPair(homeFor);
  const client = await pair.open();
  pair.active.reply = (method, path) => {
    if (method !== 'POST' || path !== '/v1/deposits') return undefined;
    promote(pair);
    return 'cut';
  };
  const { id } = await client.put(secret);
  expect([[...pair.store.keys()], writes(pair.active), writes(pair.passive)]).toEqual([[id], 1, 1]);
});

test('a put of which nobody knows says so and is kept; the next run finds it at the other server', async () => {
  const pair = await newPair(homeFor);
  pair.active.reply = (method, path) => (method === 'POST' && path === '/v1/deposits' ? 'cut' : undefined);
  const told = await failed((await pair.open(LIMIT)).put(secret));
  expect(told).toEqual({
    code: 'unreachable',
    message: `${pair.active.url} does not answer (ECONNRESET); ${pair.passive.url}: it is a passive server, which writes nothing`,
    hint: 'it is not known whether it was stored: run the same command again, it stores nothing twice',
    outcome: 'unknown',
  });
  expect(await readdir(join(pair.home, 'pending'))).toHaveLength(1);
  // As long as it is not known, a run that could send nothing at all does not say that nothing was written.
  pair.active.reply = refusing('passive_away');
  expect(await failed((await pair.open(LIMIT)).put(secret))).toMatchObject({
    code: 'unreachable',
    outcome: 'unknown',
  });
  promote(pair);
  const { id } = await (await pair.open()).put(secret);
  expect([...pair.store.keys()]).toEqual([id]);
  expect(await readdir(join(pair.home, 'pending'))).toEqual([]);
});

test('refused with any of the words for a state, by both servers, a put wrote nothing', async () => {
  const pairs = await Promise.all(
    ['passive_away', 'fenced', 'read_only'].map(async (code) => {
      const pair = await newPair(homeFor);
      pair.active.reply = refusing(code);
      const { message, hint, ...rest } = await failed((await pair.open(LIMIT)).put(secret));
      expect(rest).toEqual({ code: 'state', outcome: 'nothing-written' });
      expect([pair.store.size, await readdir(join(pair.home, 'pending'))]).toEqual([0, []]);
      const [one, other] = message.split('; ');
      expect(one?.startsWith(`${pair.active.url}: `)).toBe(true);
      expect(other).toBe(`${pair.passive.url}: it is a passive server, which writes nothing`);
      return [one?.replace(pair.active.url, 'A'), hint];
    }),
  );
  expect(pairs).toEqual([
    [
      'A: its passive server is away, and it writes nothing that it alone would have',
      'nothing was written; it does when the passive server is back',
    ],
    [
      'A: its passive server was promoted, and it serves nobody',
      'nothing was written; ktadmin ha rejoin, there, makes it the passive server',
    ],
    [
      'A: it is a passive server, which writes nothing',
      'nothing was written; name the active server: keytrustee register --server; this one writes once it is promoted: ktadmin ha promote, there',
    ],
  ]);
});

test('a write that the database of a server did not take wrote nothing, and goes to the next server', async () => {
  const pair = await newPair(homeFor);
  pair.active.reply = refusing('database_away');
  expect(await failed((await pair.open(LIMIT)).put(secret))).toEqual({
    code: 'unreachable',
    message: `${pair.active.url}: its database does not answer, or has too much to do; ${pair.passive.url}: it is a passive server, which writes nothing`,
    hint: 'nothing was written',
    outcome: 'nothing-written',
  });
  expect(await readdir(join(pair.home, 'pending'))).toEqual([]);
  pair.passive.reply = () => undefined;
  await (await pair.open()).put(secret);
  expect(pair.store.size).toBe(1);
});

test('the only server of a client is named; where it is a passive one, nothing is waited for', async () => {
  const pair = await newPair(homeFor);
  const home = await homeFor(pair.passive.url, pair.passive.url);
  // Had it waited, the test would have come to its own limit.
  expect(await failed((await opener(home)(600_000)).put(secret))).toEqual({
    code: 'state',
    message: `${pair.passive.url}: it is a passive server, which writes nothing`,
    hint: 'nothing was written; name the active server: keytrustee register --server; this one writes once it is promoted: ktadmin ha promote, there',
    outcome: 'nothing-written',
  });
  expect(writes(pair.passive)).toBe(1);
  pair.passive.reply = refusing('passive_away');
  expect(await failed((await opener(home)(LIMIT)).put(secret))).toMatchObject({
    message: `${pair.passive.url}: its passive server is away, and it writes nothing that it alone would have`,
    outcome: 'nothing-written',
  });
});

test('refused with any other word for a fault of the server, nobody knows; unless it could not write yet', async () => {
  const refusals = { unconfirmed: 503, unavailable: 503, internal: 500 };
  await Promise.all(
    Object.entries(refusals).map(async ([code, status]) => {
      const pair = await newPair(homeFor);
      pair.active.reply = (_method, path) => (path === '/v1/challenges' ? { status, code } : undefined);
      const early = await failed((await pair.open(LIMIT)).put(secret));
      expect(early).toMatchObject({ code: 'unreachable', outcome: 'nothing-written' });
      pair.active.reply = (_method, path) => (path === '/v1/deposits' ? { status, code } : undefined);
      const late = await failed((await pair.open(LIMIT)).put(secret));
      expect(late).toMatchObject({ code: 'unreachable', outcome: 'unknown' });
      expect(await readdir(join(pair.home, 'pending'))).toHaveLength(1);
    }),
  );
});

test('neither server there: nothing was written, and both are told', async () => {
  const [one, other] = [await freePort(), await freePort()].map((port) => `https://localhost:${port}`);
  const home = await homeFor(`${one}`, `${other}`);
  expect(await failed((await opener(home)(LIMIT)).put(secret))).toEqual({
    code: 'unreachable',
    message: `${one} does not answer (ECONNREFUSED); ${other} does not answer (ECONNREFUSED)`,
    hint: 'nothing was written; is the server running?',
    outcome: 'nothing-written',
  });
});

test('a deletion that was refused for its state is none: "no such deposit" at the next server is an error', async () => {
  const pair = await newPair(homeFor);
  const client = await pair.open();
  const { id } = await client.put(secret);
  promote(pair);
  pair.store.clear();
  expect(await failed(client.delete(id))).toMatchObject({ code: 'notFound', outcome: 'nothing-written' });
  pair.store.set(id, { id, putKey: 'k', content: secret, isDeleted: false });
  let lost = 0;
  pair.passive.reply = (method) => (method === 'DELETE' && ++lost === 1 ? 'cut' : undefined);
  await client.delete(id);
  expect([lost, pair.store.get(id)?.isDeleted]).toEqual([2, true]);
});
