/** A server that wants to be left alone for a while (`Retry-After`), and the other one of its pair. */
import { expect, test } from 'vitest';
import { type ClientPair, clientHomes, newPair } from '../../support/client-pair.ts';
import type { Reply } from '../../support/responder.ts';

const homeFor = clientHomes();
const gets = ({ seen }: ClientPair['active']) => seen.filter((each) => each.startsWith('GET ')).length;

/** Answers reads so at first, and from then on so. */
const firstly = (first: Reply, then: Reply) => {
  let asked = 0;
  return (method: string) => (method === 'GET' ? (++asked === 1 ? first : then) : undefined);
};

/** A pair that has a deposit, and a client that has not asked for it yet. */
async function pairWith(active: (method: string) => Reply, passive: (method: string) => Reply) {
  const pair = await newPair(homeFor);
  const client = await pair.open();
  const { id } = await client.put(Buffer.from('secret'));
  Object.assign(pair.active, { reply: active });
  Object.assign(pair.passive, { reply: passive });
  return { ...pair, get: async () => Buffer.from((await client.get(id)).content).toString() };
}

const unavailable = (retryAfter: number): Reply => ({ status: 503, code: 'unavailable', retryAfter });
const stopped: Reply = { status: 403, code: 'client_disabled' };

test('defect: while one server wanted to be left alone, the other one was not asked either', async () => {
  // Longer than the call has, and so until its end.
  const pair = await pairWith(() => unavailable(600), firstly(stopped, undefined));
  expect([await pair.get(), gets(pair.active), gets(pair.passive)]).toEqual(['secret', 1, 2]);
});

test('when both want to be left alone, it is waited for the first of them', async () => {
  const pair = await pairWith(() => unavailable(600), firstly(unavailable(1), undefined));
  expect([await pair.get(), gets(pair.active), gets(pair.passive)]).toEqual(['secret', 1, 2]);
});

test('a server that wanted to be left alone is asked again when it can be', async () => {
  const pair = await pairWith(firstly(unavailable(1), undefined), () => stopped);
  expect([await pair.get(), gets(pair.active)]).toEqual(['secret', 2]);
});

test('a server that wants to be left alone is asked all the same where the other one says nothing', async () => {
  const pair = await pairWith(firstly(unavailable(600), undefined), firstly(stopped, 'silent'));
  expect([await pair.get(), gets(pair.active)]).toEqual(['secret', 2]);
});
