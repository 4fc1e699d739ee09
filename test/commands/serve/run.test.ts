/** A server's life: how it starts, reads its settings again under load, loses workers and its database, and ends. */
import { readFile, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { loadServer } from '../../support/load.ts';
import { someOf } from '../../support/long.ts';
import { descendants } from '../../support/processes.ts';
import { refusal, said } from '../../support/refusal.ts';
import { freePort, run, sharedServer, testServer, until } from '../../support/sandbox.ts';
import { ask, configure, serving } from '../../support/serving.ts';

const server = sharedServer();

test('curl -k prints the fingerprint and nothing else, every answer has strict headers, and SIGTERM ends it with 0', async () => {
  const { port, kill, ended, stderr } = await serving(server);
  const printed = await run('curl', ['-sk', `https://127.0.0.1:${port}/?a=fingerprint`]);
  expect(printed).toMatchObject({ status: 0, stdout: server.fingerprint, stderr: '' });
  const missing = await ask(port, '/nothing?q=s3cr3t');
  expect(missing).toMatchObject({
    status: 404,
    body: '{"error":{"code":"not_found","message":"there is no such thing"}}',
    headers: {
      'cache-control': 'no-store',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'referrer-policy': 'no-referrer',
      'strict-transport-security': 'max-age=31536000',
      'x-content-type-options': 'nosniff',
    },
  });
  kill('SIGTERM');
  expect(await ended).toEqual({ status: 0, signal: null });
  for (const line of stderr()
    .split('\n')
    .filter((text) => !/^(?:Dropped|$)/.test(text)))
    JSON.parse(line);
});

test('at debug level there is a line for each request, without the token of its link', async () => {
  const { port, stderr } = await serving(server, { args: ['--verbose'] });
  await ask(port, '/?q=s3cr3t', { headers: { authorization: 'Bearer s3cr3t' } });
  await until(() => stderr().includes('"msg":"request"'), 'the line is there');
  expect(stderr()).toMatch(/"method":"GET","route":"\/","status":\d+,"time":\d+,"address":"127.0.0.1"/);
  expect(stderr()).not.toContain('s3cr3t');
});

test('a request that is in flight when SIGTERM comes is answered', async () => {
  const { port, kill, ended, stderr } = await serving(server);
  const idle = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  const busy = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  let answer = '';
  busy.on('data', (data) => (answer += data.toString()));
  const idleEnded = new Promise((resolve) => idle.once('close', resolve));
  idle.on('data', () => undefined);
  for (const socket of [idle, busy]) await new Promise((resolve) => socket.once('secureConnect', resolve));
  idle.write('GET /v1/health/live HTTP/1.1\r\nHost: a\r\n\r\n');
  busy.write(
    'POST /v1/challenges HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n',
  );
  await until(async () => (await ask(port, '/v1/health/live')).status === 200, 'both have been read');
  kill('SIGTERM');
  await until(() => stderr().includes('stopping'), 'it stops');
  await idleEnded;
  busy.write('{}');
  expect(await ended).toEqual({ status: 0, signal: null });
  expect(answer).toMatch(/^HTTP\/1.1 201 /);
  expect(answer.toLowerCase()).toContain('connection: close');
});

test('a second server on one directory is refused, and so is a port that is in use', async () => {
  const { port } = await serving(server);
  expect(said(await server.ktadmin(['serve', '--port', `${await freePort()}`]))).toEqual(
    refusal(
      75,
      `another server is at work in ${server.confdir}`,
      'systemctl status keytrusteed shows it; a server that runs reads its settings again by SIGHUP',
    ),
  );
  const other = await testServer({ start: false });
  const hint = `ss -ltnp 'sport = :${port}' shows by what; or set PORT in keytrustee.conf`;
  for (const workers of ['1', '2']) {
    const refused = said(await other.ktadmin(['serve', '--port', `${port}`, '--workers', workers]));
    expect(refused).toEqual(refusal(6, `port ${port} on :: is in use`, hint));
  }
});

test('a server without its OpenPGP key, or with an address that is not the host’s, does not start', async () => {
  const other = await testServer({ start: false });
  await configure(other, { LISTEN_ADDRESS: '192.0.2.1' });
  expect(said(await other.ktadmin(['serve']))).toEqual(
    refusal(1, '192.0.2.1 is no address of this host', 'correct LISTEN_ADDRESS in keytrustee.conf'),
  );
  await run('mv', [join(other.confdir, 'private-keys-v1.d'), join(other.directory, 'away')]);
  expect(said(await other.ktadmin(['serve']))).toEqual(
    refusal(
      3,
      `the secret key of ${other.fingerprint} is not in ${other.confdir}`,
      'ktadmin restore FILE brings it back; ktadmin config check lists every fault',
    ),
  );
});

test('certificate and settings change under load, and no request fails', async () => {
  await configure(server, { RATE_LIMIT_ADDRESS: 10_000_000 });
  const { port, kill, stderr } = await serving(server, { args: ['--workers', '2'] });
  const pair = ['ssl-cert-keytrustee.pem', 'ssl-cert-keytrustee-pk.pem'].map((name) =>
    join(server.confdir, '.ssl', name),
  ) as [string, string];
  const [certificate, key] = pair;
  const kept = await Promise.all(pair.map((path) => readFile(path)));
  const load = loadServer(port, '/?a=fingerprint', server.fingerprint);
  const certificates = new Set<string>();
  const rounds = someOf(Array.from({ length: 25 }, (_, index) => index + 1));
  for (const [place, round] of rounds.entries()) {
    const made = join(server.directory, `pair-${round}`);
    const args = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${round}`];
    await run('openssl', ['req', '-x509', ...args, '-keyout', `${made}.key`, '-out', `${made}.pem`]);
    await writeFile(certificate, await readFile(`${made}.pem`));
    await writeFile(key, await readFile(`${made}.key`));
    await configure(server, { SESSION_SECONDS: 100 + round });
    kill('SIGHUP');
    await until(() => stderr().split('reloaded: ').length > place + 1, 'it is reloaded');
    const count = load.answered();
    await until(() => load.answered() > count + 100, 'more requests are answered');
    const { stdout } = await run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`]);
    certificates.add(/^subject=.*$/m.exec(stdout)?.[0] ?? '');
  }
  expect(await load.end()).toEqual([]);
  expect([...certificates]).toEqual(rounds.map((round) => `subject=CN = ${round}`));
  await Promise.all(pair.map((path, place) => writeFile(path, kept[place] ?? '')));
});

test('a worker that is killed is replaced, the other goes on, and all end with the first process', async () => {
  const { pid, port, kill, ended, stderr } = await serving(server, { args: ['--workers', '2'] });
  const workers = async () =>
    (await descendants(pid)).filter(({ words }) => words.includes('serve')).map((seen) => seen.pid);
  const before = await workers();
  expect(before).toHaveLength(2);
  process.kill(before[0] ?? 0, 'SIGKILL');
  await until(() => stderr().includes('a worker ended, and is started again'), 'the loss is told');
  await until(async () => (await workers()).length === 2, 'there are two again');
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  await until(async () => (await ask(port, '/v1/health/live', { agent })).status === 200, 'it answers');
  kill('SIGTERM');
  expect(await ended).toEqual({ status: 0, signal: null });
  expect(await workers()).toEqual([]);
});

test('the database stops and starts again under load: 503, then 200, and the server stays', async () => {
  await configure(server, { METRICS_PORT: await freePort() });
  const { pid, port, stderr } = await serving(server);
  const load = loadServer(port, '/v1/health/ready');
  await until(() => load.answered() > 20, 'it is ready');
  expect((await server.ktadmin(['db', 'stop'])).status).toBe(0);
  await until(() => load.statuses().has(503), 'it is not ready');
  const down = await ask(port, '/v1/health/ready');
  expect(JSON.parse(down.body)).toEqual({
    ready: false,
    ...{ role: null, writes: false, reason: 'unavailable' },
    checks: { database: 'failed', key: 'ok', audit: 'ok' },
  });
  expect(down).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
  expect((await ask(port, '/v1/health/live')).status).toBe(200);
  expect((await server.ktadmin(['db', 'start'])).status).toBe(0);
  await until(async () => (await ask(port, '/v1/health/ready')).status === 200, 'it is ready again');
  expect((await load.end()).filter((failed) => !failed.endsWith('503'))).toEqual([]);
  process.kill(pid, 0);
  expect(stderr()).not.toContain('a request failed');
});

test('metrics of all workers are added up on 127.0.0.1; a port that is in use only costs the metrics', async () => {
  const metricsPort = await freePort();
  await configure(server, { METRICS_PORT: metricsPort });
  const { port, kill, ended } = await serving(server, { args: ['--workers', '2'] });
  for (let count = 0; count < 4; count++) await ask(port, '/?a=fingerprint');
  await ask(port, '/nothing');
  const { stdout } = await run('curl', ['-s', `http://127.0.0.1:${metricsPort}/metrics`]);
  expect(stdout).toContain('keytrustee_requests_total{route="/",status="200"} 4\n');
  expect(stdout).toContain('keytrustee_requests_total{route="none",status="404"} 1\n');
  expect(stdout).toMatch(/^keytrustee_request_duration_seconds_count\{route="\/"\} 4$/m);
  expect(stdout).toMatch(/^keytrustee_certificate_expiry_days 36\d\d$/m);
  expect(stdout).toMatch(/^keytrustee_database_connections\{state="waiting"\} 0$/m);
  expect(stdout).toContain('nodejs_eventloop_lag_seconds');
  kill('SIGTERM');
  await ended;
  const taken = createServer().listen(metricsPort, '127.0.0.1');
  onTestFinished(() => void taken.close());
  const second = await serving(server);
  expect(second.stderr()).toContain(`port ${metricsPort} on 127.0.0.1 is in use: there are no metrics`);
});
