/** The client between the two servers of a real pair, of which the active one is lost. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { certifyLocalhost, newMachine, organizationCode } from '../../support/keytrustee.ts';
import { must, sharedPair, untilInStep } from '../../support/pair.ts';
import { type Outcome, until } from '../../support/sandbox.ts';
import { serving } from '../../support/serving.ts';

const pair = sharedPair();
const told = ({ status, stdout, stderr }: Outcome) => ({ status, stdout, stderr });
let code: string;

beforeAll(async () => {
  code = await organizationCode(pair.active, 'prod');
});

/** One certificate for both servers, because both are `localhost` here. */
async function certify(): Promise<string> {
  const path = await certifyLocalhost(pair.active);
  for (const name of ['ssl-cert-keytrustee.pem', 'ssl-cert-keytrustee-pk.pem']) {
    const content = await readFile(join(pair.active.confdir, '.ssl', name));
    await writeFile(join(pair.passive.confdir, '.ssl', name), content);
  }
  return path;
}

/** Both servers at work, and a machine that is registered with them. */
async function registeredAtBoth() {
  const { active, passive } = pair;
  const ca = await certify();
  const [one, other] = [await serving(active), await serving(passive)];
  const [first, second] = [one, other].map(({ port }) => `https://localhost:${port}`);
  const machine = await newMachine(active);
  const reach = ['-s', `${first}`, '--passive-server', `${second}`, '--ca-file', ca];
  const words = ['register', ...reach, '-o', 'prod', '--auth-stdin'];
  const registered = await machine.keytrustee(words, { input: code });
  expect(registered).toMatchObject({ status: 0, stderr: 'registered with prod\n' });
  return { one, first, second, machine };
}

test('status tells what the servers are, and why an active one takes no writes', async () => {
  const { first, second, machine } = await registeredAtBoth();
  const { passive } = pair;
  const { stdout } = await must(machine.keytrustee(['status']));
  expect(stdout).toContain(`server        ${first}, active\nserver        ${second}, passive\n`);
  await must(passive.ktadmin(['db', 'stop']));
  const servers = async () => (await machine.json<{ servers: unknown[] }>(['status'])).servers;
  const reason = 'its passive server is away, and it writes nothing that it alone would have';
  const held = { url: first, answers: true, ready: true, role: 'active', writes: false, reason };
  await until(async () => isDeepStrictEqual((await servers())[0], held), 'the loss is told');
  expect((await servers())[1]).toMatchObject({ answers: true, ready: false, role: null, writes: false });
  const without = await must(machine.keytrustee(['status']));
  expect(without.stdout).toContain(`server        ${first}, active, takes no writes: ${reason}\n`);
  await must(passive.ktadmin(['db', 'start']));
  await untilInStep(pair);
});

test('reads go on at the passive server when the active one is lost, and writes once it is promoted', async () => {
  const { active, passive } = pair;
  const { one, first, second, machine } = await registeredAtBoth();
  await must(machine.keytrustee(['put', '--handle', 'key', '-'], { input: 'content' }));
  one.kill('SIGKILL');
  await one.ended;
  const silent = `${first} does not answer (ECONNREFUSED)`;
  expect(told(await machine.keytrustee(['get', 'key']))).toEqual({
    status: 0,
    stdout: 'content',
    stderr: `ktadmin: warning: ${silent}; ${second} answered\n`,
  });
  const refused = await machine.keytrustee(['put', '-', '--timeout', '5'], { input: 'more' });
  expect(told(refused)).toEqual({
    status: 7,
    stdout: '',
    stderr: `ktadmin: error: ${silent}; ${second}: it is a passive server, which writes nothing\nktadmin: hint: nothing was written; is the server running?\n`,
  });
  expect(await readdir(join(machine.home, 'pending'))).toEqual([]);
  await must(active.ktadmin(['db', 'stop']));
  await passive.query('select pg_promote()');
  const warning = `ktadmin: warning: ${silent}; ${second} answered\n`;
  const stored = await machine.keytrustee(['put', '--handle', 'later', '-'], { input: 'later' });
  expect(told(stored)).toEqual({ status: 0, stdout: expect.any(String), stderr: warning });
  expect(told(await machine.keytrustee(['get', 'later']))).toEqual({
    status: 0,
    stdout: 'later',
    stderr: '',
  });
  expect(await machine.json(['list'])).toMatchObject([{ handle: 'key' }, { handle: 'later' }]);
  expect(await machine.keytrustee(['get', 'missing'])).toMatchObject({ status: 5, stdout: '' });
});
