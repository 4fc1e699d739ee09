/** `ktadmin db start --foreground`, as a service manager runs it. */
import { expect, test } from 'vitest';
import { postmaster } from '../../support/postgres.ts';
import { allEnded } from '../../support/processes.ts';
import { refusal, said } from '../../support/refusal.ts';
import { type Outcome, type TestServer, testServer, until } from '../../support/sandbox.ts';

/** Starts a server in the foreground and waits until it says that it runs. */
async function inForeground(
  server: TestServer,
): Promise<{ ended: Promise<Outcome>; kill(signal: NodeJS.Signals): void }> {
  let kill = (_: NodeJS.Signals) => false;
  let words = '';
  const ended = server.ktadmin(['db', 'start', '--foreground'], {
    started: (child) => (kill = child.kill),
    heard: (stderr) => (words = stderr),
  });
  await until(() => words.includes('PostgreSQL runs on port'), 'it says that the server runs');
  expect(await server.ktadmin(['db', 'status'])).toMatchObject({ status: 0 });
  return { ended, kill: (signal) => void kill(signal) };
}

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  'it stays until %s, stops PostgreSQL, and ends with 0: that is how a service manager ends it',
  async (signal) => {
    const server = await testServer({ start: false });
    const { ended, kill } = await inForeground(server);
    kill(signal);
    expect(said(await ended)).toEqual({
      status: 0,
      stdout: '',
      stderr: `PostgreSQL runs on port ${server.port}\n`,
    });
    await allEnded(server.pgRootdir);
    expect(await server.ktadmin(['db', 'status'])).toMatchObject({ status: 3 });
  },
);

test('it ends with 0 when db stop stops the server', async () => {
  const server = await testServer({ start: false });
  const { ended } = await inForeground(server);
  expect(await server.ktadmin(['db', 'stop'])).toMatchObject({ status: 0 });
  expect(await ended).toMatchObject({ status: 0 });
});

test('it fails when the server is killed', async () => {
  const server = await testServer({ start: false });
  const { ended } = await inForeground(server);
  process.kill(await postmaster(server), 'SIGKILL');
  const outcome = said(await ended);
  expect({
    ...outcome,
    stderr: outcome.stderr.replace(`PostgreSQL runs on port ${server.port}\n`, ''),
  }).toEqual(refusal(1, 'PostgreSQL was killed', `its log is in ${server.pgRootdir}/log`));
  await allEnded(server.pgRootdir);
});

test('a server that runs in the background cannot be taken into the foreground', async () => {
  const server = await testServer();
  const outcome = said(await server.ktadmin(['db', 'start', '--foreground', '--quiet']));
  expect(outcome).toEqual(
    refusal(
      6,
      'the server was running already, so it cannot be kept in the foreground',
      `ktadmin db stop --pg-rootdir ${server.pgRootdir}`,
    ),
  );
  expect(await server.ktadmin(['db', 'status'])).toMatchObject({ status: 0 });
});
