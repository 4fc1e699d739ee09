/** A database that is lost while mail is sent. */
import { expect, test } from 'vitest';
import { postmaster } from '../../support/postgres.ts';
import { testServer, until } from '../../support/sandbox.ts';
import { ask, configure, serving } from '../../support/serving.ts';
import { mailServer } from '../../support/smtp.ts';

test('defect: a database that is lost when a mail has just left does not end the server', async () => {
  const server = await testServer();
  const smtp = await mailServer();
  await configure(server, { MAIL_TRANSPORT: 'smtp', SMTP_HOST: '127.0.0.1', SMTP_PORT: smtp.port });
  const running = await serving(server);
  const pid = await postmaster(server);
  smtp.judge = () => {
    if (smtp.mails.length === 0) process.kill(pid, 'SIGKILL');
    return undefined;
  };
  await server.orgtool(['add', '-n', 'lost', '-c', 'finn@example.com']);
  await until(() => /mail: waits/.test(running.stderr()), 'the sender has seen that the database is gone');
  expect((await ask(running.port, '/v1/health/live')).status).toBe(200);
  await until(async () => (await server.ktadmin(['db', 'start'])).status === 0, 'the database is back');
  await until(
    async () => (await server.query('select count(*) from graphile_worker.jobs')) === '0',
    'all is sent',
  );
  expect(smtp.mails.length).toBeGreaterThan(0);
});
