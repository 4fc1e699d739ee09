/** What `ktadmin ha promote` refuses; each time nothing is promoted, and the pair goes on as it was. */
import { createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { must, sharedPair, untilInStep } from '../../support/pair.ts';
import { refusal } from '../../support/refusal.ts';
import { replaceIn, testServer, withoutDrop, world } from '../../support/sandbox.ts';

const pair = sharedPair();

/** What the command says to a server of the pair. */
async function promote(...words: string[]) {
  const { status, stdout, stderr } = await pair.passive.ktadmin(['ha', 'promote', ...words]);
  return { status, stdout, stderr: withoutDrop(stderr) };
}

/** A command line that stops the active server. */
const stop = () => `env KEYTRUSTEE_CONFDIR=${pair.active.confdir} ktadmin -q db stop`;

const postgres = async (of: 'active' | 'passive', sql: string) =>
  must(pair[of].ktadmin(['db', 'psql', '--', '-X', '-q', '-d', 'postgres', '-c', sql]));

const where = () => `localhost (port ${pair.active.port})`;

/** Something that listens at a port, and what it does with who connects. */
async function listening(meet: (socket: Socket) => void): Promise<{ port: number; end(): void }> {
  const sockets: Socket[] = [];
  const listener = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    meet(socket);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const end = () => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  };
  return { port: (listener.address() as { port: number }).port, end };
}

afterEach(async () => {
  expect(await pair.node(pair.passive)).toMatchObject({ role: 'passive', epoch: 0 });
  await must(pair.active.ktadmin(['db', 'start', '-q']));
  await untilInStep(pair);
});

test('the active server, and one that is in no pair', async () => {
  const alone = await testServer({ start: false });
  const [active, other] = [
    await pair.active.ktadmin(['ha', 'promote']),
    await alone.ktadmin(['ha', 'promote']),
  ];
  expect(
    [active, other].map(({ status, stdout, stderr }) => ({ status, stdout, stderr: withoutDrop(stderr) })),
  ).toEqual([
    refusal(3, 'this is the active server already', 'ktadmin ha status'),
    refusal(3, 'this server is in no pair', 'ktadmin ha join makes it the passive one of a pair'),
  ]);
});

test('the active server answers, whatever somebody says of it', async () => {
  const message = `the active server answers: PostgreSQL of ${where()}`;
  const both = '--fence-command stops it; or do it yourself, and say so by --i-have-stopped-the-active';
  expect(await promote()).toEqual(refusal(3, message, both));
  expect(await promote('--i-have-stopped-the-active')).toEqual(
    refusal(3, message, 'it is not stopped; on localhost: ktadmin db stop'),
  );
});

test('a fence command that fails, that hangs, that helps nothing, that is none', async () => {
  const hint = `it was run as the account ${world.account.name}, which has ssh keys and known_hosts of its own; nothing was promoted: the active server may still run. Stop it, and say so by --i-have-stopped-the-active`;
  expect(await promote('--fence-command', 'false')).toEqual(refusal(1, 'false failed (exit status 1)', hint));
  expect(await promote('--fence-command', 'sleep 300', '--fence-seconds', '1')).toEqual(
    refusal(1, 'sleep did not end within 1 s', hint),
  );
  expect(await promote('--fence-command', 'true')).toEqual(
    refusal(
      3,
      `the fence command ended well, but PostgreSQL of ${where()} still answers`,
      'nothing was promoted: the command must stop the active server',
    ),
  );
  expect(await promote('--fence-command', ' ')).toMatchObject({ status: 2 });
  const { stdout } = await pair.passive.ktadmin(['audit', 'show', '--event', 'ha.promote']);
  expect(stdout.match(/(?<=failed: ").*(?=")/g)).toEqual([
    'false failed (exit status 1)',
    'sleep did not end within 1 s',
    expect.stringMatching(/^the fence command ended well, but PostgreSQL of localhost/),
  ]);
});

test('changes did not wait for this server', async () => {
  await must(pair.active.ktadmin(['ha', 'sync', 'off', '-q']));
  expect(await promote('--fence-command', stop())).toEqual(
    refusal(
      3,
      'changes did not wait for this server: what the active one took last may not be here',
      'where the active one still runs: ktadmin ha sync on; --accept-data-loss goes on with what is here',
    ),
  );
  await must(pair.active.ktadmin(['ha', 'sync', 'on', '-q']));
});

test('the policy may have let the active server go on alone', async () => {
  const policy = (words: string) => postgres('active', `update keytrustee_ha.pair set policy = '${words}'`);
  await policy('degrade-after 30');
  await must(pair.active.ktadmin(['db', 'stop', '-q']));
  expect(await promote()).toEqual(
    refusal(
      3,
      'HA_WRITE_POLICY degrade-after 30 may have let the active server go on alone: what it took then is not here',
      '--accept-data-loss goes on with what is here',
    ),
  );
  await must(pair.active.ktadmin(['db', 'start', '-q']));
  await untilInStep(pair);
  await policy('both');
});

test('defect: a server that had not followed since its start was promoted over changes that it could not know of', async () => {
  await must(pair.active.ktadmin(['db', 'stop', '-q']));
  await must(pair.passive.ktadmin(['db', 'restart', '-q']));
  expect(await promote()).toEqual(
    refusal(
      3,
      'this server has not followed localhost since its PostgreSQL was started: whether that went on alone, by ktadmin ha sync off, or with another server, is not known here',
      '--sync-was-on, where it did not; else --accept-data-loss goes on with what is here',
    ),
  );
});

test('its PostgreSQL does not run, but it answers over HTTPS', async () => {
  const listener = await listening((socket) => socket.destroy());
  await postgres('active', `update keytrustee_ha.node set https_port = ${listener.port}`);
  await must(pair.active.ktadmin(['db', 'stop', '-q']));
  expect(await promote()).toEqual(
    refusal(
      3,
      'the active server answers over HTTPS at localhost',
      '--i-have-stopped-the-active, where it is off for certain; or --fence-command, which stops it',
    ),
  );
  listener.end();
});

test('silence: nobody knows whether it has stopped or the link is cut', async () => {
  const file = `${pair.passive.pgRootdir}/replication/node.json`;
  const mute = await listening(() => undefined);
  const ports = [`"port": ${pair.active.port}`, `"port": ${mute.port}`] as const;
  await replaceIn(file, [[ports[0], ports[1]]]);
  expect(await promote()).toEqual(
    refusal(
      3,
      'localhost does not answer, and nobody knows whether it has stopped or only the link is cut',
      '--i-have-stopped-the-active, where it is off for certain; or --fence-command, which stops it',
    ),
  );
  await replaceIn(file, [[ports[1], ports[0]]]);
  mute.end();
});

test('what was received is not applied', async () => {
  await postgres('passive', 'select pg_wal_replay_pause()');
  await postgres('active', "set synchronous_commit = local; select pg_logical_emit_message(true, 'a', 'b')");
  const refused = await promote('--fence-command', stop());
  const missing = /the (\d+) bytes/.exec(refused.stderr)?.[1];
  expect(refused).toEqual(
    refusal(
      3,
      `this server does not apply the ${missing} bytes that it has received last: somebody has paused that`,
      'ktadmin db psql -- -d postgres -c "select pg_wal_replay_resume()"; then run the command again',
    ),
  );
  await postgres('passive', 'select pg_wal_replay_resume()');
});
