/** `ktadmin doctor`: each thing that can be wrong, what is said of it, and the exit status of a monitoring plugin. */
import { chmod, copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { askServer } from '../../src/lib/core/control.ts';
import { refusal, said } from '../support/refusal.ts';
import {
  run,
  sharedServer,
  type TestServer,
  temporaryDirectory,
  testServer,
  until,
} from '../support/sandbox.ts';
import { ask, configure, sharedServing } from '../support/serving.ts';

const EXTENSIONS = ['subjectAltName=DNS:kts01.example.com', 'basicConstraints=critical,CA:FALSE'].flatMap(
  (each) => ['-addext', each],
);
const server = sharedServer();
const running = sharedServing(server, () => configure(server, { METRICS_PORT: 0 }));
let confFile = '';
beforeAll(() => {
  confFile = join(server.confdir, 'keytrustee.conf');
});

interface Told {
  state: string;
  checks: { name: string; state: string; message: string; hint: string | null }[];
}

/** The exit status, the state of all, and what is not well. */
async function diagnose(of: TestServer = server) {
  const { status, stdout } = await of.ktadmin(['doctor', '--json']);
  const { state, checks } = JSON.parse(stdout) as Told;
  const bad = checks.filter((check) => check.state !== 'OK');
  return { status, state, bad: bad.map(({ name, hint, ...rest }) => [name, rest.state, rest.message, hint]) };
}

test('a server that is well: one line for monitoring, one for each check, exit status 0', async () => {
  const { status, stdout, stderr } = said(await server.ktadmin(['doctor']));
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const lines = stdout.replace(/\d+ MiB/g, 'N MiB').replace(/expires in \d+ days, on \S+/, 'expires');
  expect(lines).toBe(`KEYTRUSTEE OK - all is well; 9 checks, 0 not OK
OK        settings     no faults; certificate and key are judged below
OK        certificate  expires
OK        presented    what keytrustee.conf names
OK        server       ready at https://[::]:${running.port}, pid ${running.pid}
OK        database     answers
OK        replication  alone
OK        mail         none was given up
OK        audit        ${server.directory}/audit has N MiB free
OK        storage      ${server.pgRootdir} has N MiB free
`);
});

test('a certificate that is configured, but not presented yet', async () => {
  const [own, key] = [join(server.confdir, '.ssl/other.pem'), join(server.confdir, '.ssl/other.key')];
  const kept = await readFile(confFile);
  const words = ['-subj', '/CN=kts01.example.com', ...EXTENSIONS];
  const files = ['-newkey', 'rsa:2048', '-nodes', '-days', '90', '-keyout', key, '-out', own];
  expect(await run('openssl', ['req', '-x509', ...words, ...files])).toMatchObject({ status: 0 });
  await run('chown', ['--reference', server.confdir, own, key]);
  await configure(server, { SSL_CERTIFICATE: own, SSL_PRIVATE_KEY: key });
  expect(await diagnose()).toEqual({
    status: 1,
    state: 'WARNING',
    bad: [
      ...[
        [
          'presented',
          'WARNING',
          'another certificate than keytrustee.conf names',
          'systemctl reload keytrusteed',
        ],
      ],
    ],
  });
  await askServer(server.confdir, 'reload');
  expect(await diagnose()).toEqual({ status: 0, state: 'OK', bad: [] });
  await writeFile(confFile, kept);
  await askServer(server.confdir, 'reload');
});

test('defect: of a key that is missing one line said that there are no faults, and no line that another one tells', async () => {
  const kept = await readFile(confFile);
  const missing = join(server.confdir, '.ssl/nowhere.key');
  await configure(server, { SSL_PRIVATE_KEY: missing });
  const { stdout } = await server.ktadmin(['doctor']);
  await writeFile(confFile, kept);
  expect(stdout).toContain(`
OK        settings     no faults; certificate and key are judged below
CRITICAL  certificate  SSL_PRIVATE_KEY ${missing} is missing; next: ktadmin cert check\n`);
});

test('mails that were given up', async () => {
  await server.orgtool(['add', '-n', 'given-up', '-c', 'finn@example.com,jake@example.com']);
  await server.query('update graphile_worker._private_jobs set attempts = max_attempts, locked_at = null');
  const hint = 'ktadmin mail queue shows why; ktadmin mail retry';
  expect(await diagnose()).toEqual({
    ...{ status: 1, state: 'WARNING', bad: [['mail', 'WARNING', '2 were given up', hint]] },
  });
  await server.query('delete from graphile_worker._private_jobs');
});

test('an audit directory that is gone, or cannot be written', async () => {
  const directory = join(server.directory, 'audit');
  const told = (why: string) => ['audit', 'CRITICAL', `${directory} ${why}`, `ls -ld ${directory}`];
  await chmod(directory, 0o500);
  expect((await diagnose()).bad).toContainEqual(told('cannot be written'));
  await chmod(directory, 0o700);
  await rename(directory, `${directory}.away`);
  const { status, bad } = await diagnose();
  await rename(`${directory}.away`, directory);
  expect([status, bad]).toEqual([2, expect.arrayContaining([told('is missing')])]);
});

test('a server that hangs is waited for no longer than a check may take', async () => {
  running.kill('SIGSTOP');
  const told = await diagnose();
  running.kill('SIGCONT');
  // It was late with its work, and refuses requests until it notices that it is no more.
  await until(async () => (await ask(running.port, '/v1/health/ready')).status === 200, 'it is ready');
  const stopped =
    'systemctl status keytrusteed shows its process: where that was stopped, kill -CONT PID has it go on; systemctl restart keytrusteed starts it anew';
  expect(told).toEqual({
    ...{ status: 2, state: 'CRITICAL' },
    bad: [
      ['presented', 'UNKNOWN', 'the server did not answer in time', stopped],
      ['server', 'CRITICAL', 'the server did not answer in time', 'journalctl -u keytrusteed'],
    ],
  });
});

test('a server that is not ready says what is missing', async () => {
  await server.ktadmin(['db', 'stop']);
  const { bad } = await diagnose();
  await server.ktadmin(['db', 'start']);
  expect(bad).toContainEqual(['server', 'CRITICAL', 'is not ready: database', 'journalctl -u keytrusteed']);
});

test('server and database down, settings with faults, and settings that are no JSON: exit status 2', async () => {
  const other = await testServer({ start: false });
  const { status, stdout } = await other.ktadmin(['doctor']);
  const start = `ktadmin db start --pg-rootdir ${other.pgRootdir}`;
  const down = `the database does not answer (port ${other.port}, socket in ${other.pgRootdir}/run); next: ${start}`;
  expect([status, stdout.split('\n').filter((line) => !line.startsWith('OK'))]).toEqual([
    2,
    [
      'KEYTRUSTEE CRITICAL - server: does not run; 9 checks, 5 not OK',
      'UNKNOWN   presented    nothing is presented: the server does not run; next: systemctl start keytrusteed',
      'CRITICAL  server       does not run; next: systemctl start keytrusteed',
      `CRITICAL  database     ${down}`,
      `UNKNOWN   replication  ${down}`,
      `UNKNOWN   mail         ${down}`,
      '',
    ],
  ]);
  const path = join(other.confdir, 'keytrustee.conf');
  await copyFile(path, `${path}.kept`);
  await configure(other, { DB_PORT: 'x', PORT: 'y' });
  const twice = await other.ktadmin(['doctor']);
  const faults =
    'PORT must be a whole number from 1 to 65535, without quotes; DB_PORT must be a whole number from 1 to 65535, without quotes';
  expect(said(twice)).toEqual({
    status: 2,
    stdout: `KEYTRUSTEE CRITICAL - settings: ${faults}; 1 check, 1 not OK
CRITICAL  settings  ${faults}; next: ktadmin config check
`,
    stderr: '',
  });
  await writeFile(path, '{');
  const hint = `python3 -m json.tool ${path} shows where; mend it, or take it out of a backup`;
  expect(await diagnose(other)).toEqual({
    ...{ status: 2, state: 'CRITICAL' },
    bad: [['settings', 'CRITICAL', `${path} is not JSON`, hint]],
  });
});

test('what keeps it from looking at all is unknown: exit status 3, and the usual two lines', async () => {
  const directory = await temporaryDirectory();
  const missing = join(directory, 'nowhere');
  const init = `ktadmin init --confdir ${missing}, or ktadmin restore FILE where a server was lost`;
  const words = ['doctor', '--confdir', missing];
  expect(said(await server.ktadmin(words))).toEqual(refusal(3, `${missing} does not exist`, init));
  await mkdir(missing, { mode: 0o755 });
  await run('chown', ['--reference', server.confdir, missing]);
  await chmod(missing, 0o755);
  const open = `${missing} is open to other accounts (mode 0755)`;
  expect(said(await server.ktadmin(words))).toEqual(refusal(3, open, `chmod 700 ${missing}`));
  await rm(missing, { recursive: true });
  const asJson = await server.ktadmin([...words, '--json']);
  expect([asJson.status, JSON.parse(asJson.stdout)]).toEqual([
    3,
    { error: { code: 'state', message: `${missing} does not exist`, hint: init } },
  ]);
});
