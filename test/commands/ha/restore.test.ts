/** `ktadmin restore` on the active server of a pair while both serve: what counts from then on is on both. */
import { beforeAll, expect, test } from 'vitest';
import { type Depositor, sessionAt } from '../../support/depositor.ts';
import { createMachine, enroll } from '../../support/machines.ts';
import { must } from '../../support/pair.ts';
import { restore } from '../../support/restored.ts';
import { until } from '../../support/sandbox.ts';
import { backup } from '../../support/sets.ts';
import { sharedServedPair } from '../../support/standby.ts';

const { pair, active, passive } = sharedServedPair();
let own: Depositor;
let there: Depositor;

beforeAll(async () => {
  await must(pair.active.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']));
  const machine = await createMachine();
  await enroll(pair.active, machine, 'prod');
  own = await sessionAt(active, machine);
  there = await sessionAt(passive, machine);
});

/** More questions at once than a server has connections: each of those is asked something. */
const askPassive = (handle: string) =>
  Promise.all(
    Array.from({ length: 60 }, () => there.ask('GET', `/v1/handles/${handle}`).then(({ status }) => status)),
  );

test('defect: after a restore the passive server went on serving from the database that was set aside', async () => {
  expect((await own.put('kept', 'handle=kept')).status).toBe(201);
  const set = await backup(pair.active);
  expect((await own.put('gone', 'handle=gone')).status).toBe(201);
  expect(new Set(await askPassive('gone'))).toEqual(new Set([200]));
  expect(await restore(pair.active, [set, '--yes'])).toMatchObject({ status: 0 });
  // What a connection to the old database is asked ends it; nobody is served from it meanwhile.
  expect(await askPassive('gone')).not.toContain(200);
  await until(
    async () => (await own.put('new', 'handle=new')).status === 201,
    'the active server takes puts',
  );
  await until(
    async () => new Set(await askPassive('new')).size === 1,
    'all connections are to what counts now',
  );
  expect(new Set(await askPassive('new'))).toEqual(new Set([200]));
  expect(new Set(await askPassive('gone'))).toEqual(new Set([404]));
  await must(pair.active.orgtool(['disable-client', '--fingerprint', own.fingerprint]));
  expect(new Set(await askPassive('kept'))).toEqual(new Set([403]));
});
