/** `audit show` and `audit verify`, and what commands record. */
import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { linesOf } from '../support/audit.ts';
import { smallDisk } from '../support/disk.ts';
import {
  isRoot,
  run,
  sharedServer,
  temporaryDirectory,
  testServer,
  withoutDrop,
  world,
} from '../support/sandbox.ts';
import { configure } from '../support/serving.ts';

const server = sharedServer();
const caller = isRoot ? 'root' : world.account.name;

const audit = () => join(server.directory, 'audit');

test('every change by a command is recorded: who, what, never a code', async () => {
  const env = { SUDO_USER: 'alice' };
  const code = 'a-code-that-nobody-may-see';
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost'], { env });
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost,jake@localhost']);
  await server.orgtool(['add', '-n', 'prod', '-c', 'jake@localhost']);
  await server.orgtool(['set-auth', '-n', 'prod', '--secret-stdin'], { input: `${code}\n` });
  await server.orgtool(['disable', '-n', 'prod']);
  await server.orgtool(['disable', '-n', 'prod']);
  await server.orgtool(['enable', '-n', 'prod'], { env: { SUDO_USER: 'not a\nname' } });
  await server.orgtool(['remove-contact', '-n', 'prod', '-c', 'jake@localhost']);
  await server.orgtool(['remove', '-n', 'prod', '--yes']);
  await server.orgtool(['remove', '-n', 'prod', '--yes']);
  const who = `account:${caller}`;
  const shown = await server.ktadmin(['audit', 'show', '--last', '7', '--quiet']);
  expect(withoutDrop(shown.stderr)).toBe('');
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z {2}/gm;
  expect(shown.stdout.match(time)).toHaveLength(7);
  expect(shown.stdout.replaceAll(time, '')).toBe(
    [
      `organization.add      ${who} sudo:alice  local  organization=prod  contacts=root@localhost`,
      `contact.add           ${who}  local  organization=prod  contacts=jake@localhost`,
      `organization.set-auth  ${who}  local  organization=prod  automaticApproval=false`,
      `organization.disable  ${who}  local  organization=prod`,
      `organization.enable   ${who}  local  organization=prod`,
      `contact.remove        ${who}  local  organization=prod  contact=jake@localhost`,
      `organization.remove   ${who}  local  organization=prod  contacts=1`,
      '',
    ].join('\n'),
  );
  for (const name of await readdir(audit())) {
    expect(await readFile(join(audit(), name), 'utf8')).not.toContain(code);
  }
  const json = await server.ktadmin(['audit', 'show', '--event', 'contact', '--who', caller, '--json']);
  expect(
    json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([
    { stream: 'command', event: 'contact.add', what: { contacts: 'jake@localhost' }, outcome: 'done' },
    { stream: 'command', event: 'contact.remove' },
  ]);
  const none = await server.ktadmin(['audit', 'show', '--until', '2020-01-01']);
  expect({ ...none, stderr: withoutDrop(none.stderr) }).toMatchObject({
    ...{ status: 0, stdout: '', stderr: 'nothing was recorded that fits\n' },
  });
  const wrong = await server.ktadmin(['audit', 'show', '--since', 'lately']);
  expect(wrong).toMatchObject({ status: 2, stdout: '' });
  const whole = await server.ktadmin(['audit', 'verify']);
  const lines = (await linesOf(audit(), 'command')).length;
  expect({ ...whole, stderr: withoutDrop(whole.stderr) }).toMatchObject({
    status: 0,
    stdout: `command: ${lines} lines in 1 file, 0 sealed\nThe audit trail in ${audit()} is whole\n`,
    stderr: '',
  });
});

test('commands at the same time all succeed, and the chain is one', async () => {
  const names = ['a', 'b', 'c', 'd'];
  const added = await Promise.all(
    names.map((name) => server.orgtool(['add', '-n', name, '-c', 'root@localhost'])),
  );
  expect(added.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
  const events = await linesOf(audit(), 'command');
  const recorded = events.filter(({ event }) => event === 'organization.add').slice(-4);
  expect(recorded.map(({ what }) => (what as { organization: string }).organization).toSorted()).toEqual(
    names,
  );
  expect((await server.ktadmin(['audit', 'verify'])).status).toBe(0);
});

test('a copy that was changed, or cut, is not whole: status 8, file and line', async () => {
  const copy = join(await temporaryDirectory(), 'copy');
  await cp(audit(), copy, { recursive: true, preserveTimestamps: true });
  if (isRoot) await run('chown', ['-R', world.account.name, copy]);
  expect((await server.ktadmin(['audit', 'verify', copy])).status).toBe(0);
  const file = join(copy, 'command.00000001.jsonl');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('root@localhost', 'toor@localhost'));
  const at = text.slice(0, text.indexOf('root@localhost')).split('\n').length;
  const changed = await server.ktadmin(['audit', 'verify', copy]);
  const lines = text.split('\n').length - 1;
  const verdict = `The audit trail in ${copy} is NOT whole: it was changed by somebody else, or the disk lost some of it\n`;
  expect({ ...changed, stderr: withoutDrop(changed.stderr) }).toMatchObject({
    status: 8,
    stdout:
      `command: ${lines} lines in 1 file, 0 sealed; 1 fault\n` +
      `  command.00000001.jsonl line ${at + 1}: it does not follow the line before: one of them was changed\n${verdict}`,
    stderr: '',
  });
  await writeFile(file, text);
  await truncate(file, text.trimEnd().lastIndexOf('\n') + 1);
  const cut = await server.ktadmin(['audit', 'verify', copy, '--json']);
  expect(cut.status).toBe(8);
  expect(JSON.parse(cut.stdout)).toMatchObject({
    trusted: false,
    streams: [
      {
        faults: [
          {
            file: 'command.head',
            fault: `the end is missing: the last number was ${lines}, and ${lines - 1} is the last that is there`,
          },
        ],
      },
    ],
  });
});

test('where the trail cannot be written, a command changes nothing and says so', async () => {
  const blocked = join(server.directory, 'a-file');
  await writeFile(blocked, '');
  await configure(server, { AUDIT_DIR: blocked });
  onTestFinished(() => configure(server, { AUDIT_DIR: undefined }));
  const before = (await server.orgtool(['list'])).stdout;
  for (const words of [
    ['add', '-n', 'never', '-c', 'root@localhost'],
    ['set-auth', '-n', 'a', '--generate'],
    ['disable', '-n', 'a'],
    ['remove', '-n', 'a', '--yes'],
  ]) {
    const refused = await server.orgtool(words);
    expect({ ...refused, stderr: withoutDrop(refused.stderr) }).toMatchObject({
      status: 6,
      stdout: '',
      stderr: `ktadmin: error: the audit trail cannot be written: the audit directory ${blocked} is not a directory\n`,
    });
  }
  expect((await server.orgtool(['list'])).stdout).toBe(before);
});

test.runIf(isRoot)('on a full disk a command changes nothing, and is told what to do', async () => {
  const disk = await smallDisk('64k');
  await configure(server, { AUDIT_DIR: join(disk.directory, 'audit') });
  onTestFinished(() => configure(server, { AUDIT_DIR: undefined }));
  await disk.fill();
  const refused = await server.orgtool(['disable', '-n', 'a']);
  expect({ ...refused, stderr: withoutDrop(refused.stderr) }).toMatchObject({
    status: 1,
    stdout: '',
    stderr:
      'ktadmin: error: the audit trail cannot be written: no space left on device\n' +
      'ktadmin: hint: free some space and run the command again\n',
  });
  expect(JSON.parse((await server.orgtool(['list', '-n', 'a'])).stdout)).toMatchObject({ a: { state: 0 } });
  await disk.free();
  expect((await server.orgtool(['disable', '-n', 'a'])).status).toBe(0);
  expect((await server.ktadmin(['audit', 'verify'])).status).toBe(0);
});

test('a host from before has no trail: the first command makes it', async () => {
  const old = await testServer();
  await rm(join(old.directory, 'audit'), { recursive: true });
  const none = await old.ktadmin(['audit', 'show']);
  expect({ ...none, stderr: withoutDrop(none.stderr) }).toMatchObject({
    status: 5,
    stderr:
      `ktadmin: error: there is no audit trail in ${old.directory}/audit\n` +
      'ktadmin: hint: the server and the first command make it; where there was one, somebody has removed it\n',
  });
  expect((await old.orgtool(['add', '-n', 'prod', '-c', 'root@localhost'])).status).toBe(0);
  expect((await old.ktadmin(['audit', 'verify'])).status).toBe(0);
  // defect: a trail that lost every file was whole.
  await rm(join(old.directory, 'audit'), { recursive: true });
  await mkdir(join(old.directory, 'audit'), { mode: 0o700 });
  if (isRoot) await run('chown', [world.account.name, join(old.directory, 'audit')]);
  const empty = await old.ktadmin(['audit', 'verify']);
  expect(empty.status).toBe(5);
  expect(empty.stderr).toContain(`there is no stream of an audit trail in ${old.directory}/audit\n`);
  // One that is killed at any moment leaves a trail that is whole, and that the next one goes on with.
  for (const step of ['audit-file-made', 'audit-written']) {
    await rm(join(old.directory, 'audit'), { recursive: true });
    const killed = await old.orgtool(['disable', '-n', 'prod'], { env: { KTADMIN_KILL_AT: step } });
    expect(killed.signal).toBe('SIGKILL');
    expect((await old.ktadmin(['audit', 'verify'])).status).toBe(0);
    expect((await old.orgtool(['list', '-n', 'prod'])).stdout).toContain('"state": 0');
    expect((await old.orgtool(['add', '-n', step, '-c', 'root@localhost'])).status).toBe(0);
    expect((await old.ktadmin(['audit', 'verify'])).status).toBe(0);
  }
});
