/** `ktadmin db start --foreground`, as a service manager runs it. */
import { expect, test } from 'vitest';
import { takeLock } from '../../../src/lib/core/lock.ts';
import { endForeground, inForeground, takeOver } from '../../support/foreground.ts';
import { postmaster } from '../../support/postgres.ts';
import { allEnded } from '../../support/processes.ts';
import { refusal, said } from '../../support/refusal.ts';
import { testServer } from '../../support/sandbox.ts';

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

test('defect: it goes on with the server that db restart starts, and stops that one', async () => {
  const server = await testServer({ start: false });
  const keeper = await inForeground(server);
  for (const _ of ['its own', "another's"])
    expect(await server.ktadmin(['db', 'restart'])).toMatchObject({ status: 0 });
  await endForeground(server, keeper);
  await allEnded(server.pgRootdir);
});

test('defect: it fails when the server that db restart started is killed', async () => {
  const server = await testServer({ start: false });
  const { ended } = await inForeground(server);
  expect(await server.ktadmin(['db', 'restart'])).toMatchObject({ status: 0 });
  process.kill(await postmaster(server), 'SIGKILL');
  const { status, stderr } = await ended;
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringContaining('ktadmin: error: PostgreSQL was killed\n') as string,
  });
  await allEnded(server.pgRootdir);
});

test('defect: it takes over a server that runs, and waits for a command that starts it anew', async () => {
  const server = await testServer();
  const { ended } = await takeOver(server);
  // What db restart, ha join and ha rejoin hold while they are at it.
  const release = await takeLock(server.pgRootdir, 'restart of PostgreSQL');
  expect(await server.ktadmin(['db', 'stop'])).toMatchObject({ status: 0 });
  expect(await server.ktadmin(['db', 'start'])).toMatchObject({ status: 0 });
  release();
  expect(await server.ktadmin(['db', 'stop'])).toMatchObject({ status: 0 });
  expect(said(await ended)).toEqual({
    status: 0,
    stdout: '',
    stderr: `PostgreSQL was running already on port ${server.port}\n`,
  });
});
