/** Registration with both servers of a pair: which of them takes it, and whether they are a pair at all. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { registerClient } from '../../../src/lib/client/client.ts';
import { clientHomes, failed, newPair, opener, promote } from '../../support/client-pair.ts';
import { vouching } from '../../support/responder.ts';
import { freePort } from '../../support/sandbox.ts';

const homeFor = clientHomes();

/** A pair, and a registration with both of it in a directory that has a key already. */
async function registrar() {
  const pair = await newPair(homeFor);
  pair.warnings.length = 0;
  const register = async (more: object = {}) =>
    registerClient({
      ...{ home: pair.home, server: pair.active.url, passiveServer: pair.passive.url, organization: 'prod' },
      ...{ caCertificate: await vouching(), warn: (text: string) => void pair.warnings.push(text), ...more },
    });
  return { ...pair, register };
}

test('the active server takes it; the promoted one, once there is one', async () => {
  const pair = await registrar();
  expect(await pair.register()).toMatchObject({ state: 'active', server: pair.active.url });
  expect(pair.active.seen).toEqual(['GET /', 'POST /v1/challenges', 'POST /v1/clients']);
  expect([pair.passive.seen, pair.warnings]).toEqual([['GET /'], []]);
  promote(pair);
  await pair.active.close();
  await pair.register();
  const silent = `${pair.active.url} does not answer (ECONNREFUSED)`;
  expect(pair.warnings).toEqual([
    `${silent}: whether ${pair.passive.url} belongs to it could not be checked`,
    `${silent}; ${pair.passive.url} answered`,
  ]);
  // Its challenge was answered where it came from.
  expect(pair.passive.seen.slice(-2)).toEqual(['POST /v1/challenges', 'POST /v1/clients']);
  pair.passive.seen.length = 0;
  await (await opener(pair.home, pair.warnings)()).put(Buffer.from('secret'));
  expect([pair.passive.seen.at(-1), pair.warnings.length]).toEqual(['POST /v1/deposits', 2]);
});

test('two servers with different keys are refused, and nothing is kept of them', async () => {
  const pair = await registrar();
  pair.passive.fingerprint = `4096R/${'B'.repeat(40)}`;
  expect(await failed(pair.register())).toEqual({
    code: 'untrusted',
    message: `${pair.active.url} has the fingerprint 4096R/${'A'.repeat(40)}, and ${pair.passive.url} has 4096R/${'B'.repeat(40)}: they are no pair`,
    hint: 'the passive server of a pair has the same key as the active one; check both addresses',
    outcome: 'nothing-written',
  });
  pair.passive.fingerprint = 'welcome';
  expect(await failed(pair.register())).toMatchObject({ code: 'failed', outcome: 'nothing-written' });
  const foreign = { passiveServer: pair.passive.url.replace('localhost', '127.0.0.1') };
  expect(await failed(pair.register(foreign))).toMatchObject({ code: 'untrusted' });
  expect(pair.active.seen).not.toContain('POST /v1/clients');
});

test('a passive server that does not answer is a warning, and is kept', async () => {
  const pair = await registrar();
  const nobody = `https://localhost:${await freePort()}`;
  await pair.register({ passiveServer: nobody });
  expect(pair.warnings).toEqual([
    `${nobody} does not answer (ECONNREFUSED): whether it belongs to ${pair.active.url} could not be checked`,
  ]);
  const client = await opener(pair.home)();
  onTestFinished(client.close);
  expect((await client.status()).servers).toEqual([
    { url: pair.active.url, answers: true, ready: true, role: 'active', writes: null, reason: null },
    {
      url: nobody,
      answers: false,
      ready: false,
      role: null,
      writes: null,
      reason: `${nobody} does not answer (ECONNREFUSED)`,
    },
  ]);
});

test('a registration whose answer was lost is not known to be one', async () => {
  const pair = await registrar();
  pair.active.reply = (_method, path) => (path === '/v1/clients' ? 'cut' : undefined);
  const home = join(pair.home, '..', 'other');
  expect(await failed(pair.register({ home, timeout: 2500 }))).toMatchObject({
    code: 'unreachable',
    hint: 'it is not known whether it was registered: run the same command again',
    outcome: 'unknown',
  });
});
