/** `ktadmin ha end`: the passive server is given up for good; and a third one, which a pair has no place for. */
import { expect, test } from 'vitest';
import { copyOf, must, sharedPair, untilInStep } from '../../support/pair.ts';
import { refusal, said } from '../../support/refusal.ts';
import { until } from '../../support/sandbox.ts';
import { ask, configure, serving } from '../../support/serving.ts';

const pair = sharedPair();

test('a third server is refused: a pair has two', async () => {
  const { active } = pair;
  const third = await copyOf(active);
  const words = ['ha', 'join', '--active', `localhost:${active.port}`];
  expect(said(await third.ktadmin(words))).toEqual(
    refusal(
      6,
      'localhost has a passive server already: localhost',
      'where this one is to take its place, on localhost: ktadmin db stop',
    ),
  );
});

test('a pair is ended on the active server, once nobody follows it; the other one can come back', async () => {
  const { active, passive } = pair;
  const end = async () => said(await active.ktadmin(['ha', 'end']));
  expect(await end()).toEqual(
    refusal(
      3,
      'localhost follows this server',
      'on localhost: stop keytrusteed, and ktadmin db stop; what it served would be old from now on',
    ),
  );
  await must(passive.ktadmin(['db', 'stop']));
  expect(await end()).toEqual({ status: 0, stdout: 'alone: localhost is given up\n', stderr: '' });
  expect(await end()).toEqual({ status: 0, stdout: 'alone: no other server\n', stderr: '' });
  expect(await active.query('select count(*) from pg_replication_slots')).toBe('0');
  const status = JSON.parse((await active.ktadmin(['ha', 'status', '--json'])).stdout);
  expect(status.remarks).toMatchObject([{ severity: 'fine', code: 'alone' }]);
  await must(passive.ktadmin(['db', 'start']));
  const there = JSON.parse((await passive.ktadmin(['ha', 'status', '--json'])).stdout);
  const next = `ktadmin ha join --active localhost:${active.port}`;
  expect(there.remarks).toEqual([
    { severity: 'critical', code: 'pair-ended', message: 'localhost is alone: it has ended the pair', next },
  ]);
  await must(active.orgtool(['add', '-n', 'prod', '-c', 'root@localhost']));
});

test('defect: a server that was given up went on serving what it had', async () => {
  const { active, passive } = pair;
  await configure(passive, { MAIL_TRANSPORT: 'none' });
  const serves = await serving(passive);
  await until(async () => (await pair.node(passive)).role === 'fenced', 'it finds out');
  await until(() => serves.stderr().includes('it serves nothing'), 'it says so');
  const { body } = await ask(serves.port, '/v1/health/ready');
  expect(JSON.parse(body)).toMatchObject({ ready: false, role: 'fenced' });
  await must(passive.ktadmin(['ha', 'rejoin']));
  await must(active.ktadmin(['ha', 'sync', 'on']));
  await untilInStep(pair);
  expect(await passive.query('select name from organization')).toBe('prod');
});
