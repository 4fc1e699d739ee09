import { chmod, lstat, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keyring } from '../../support/keyring.ts';
import { ownedDirectory, type TestServer, testServer, withoutDrop } from '../../support/sandbox.ts';

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"\})? (\S+)$/;

/** Reads Prometheus' text format by its rules: each family has one HELP and one TYPE, before its samples, which are numbers. */
function parse(text: string): Record<string, number> {
  expect(text.endsWith('\n')).toBe(true);
  const samples: Record<string, number> = {};
  const announced: string[] = [];
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const [, kind = '', name = ''] = /^# (HELP|TYPE) (\S+) \S/.exec(line) ?? [];
    if (kind !== '') {
      announced.push(`${kind} ${name}`);
      if (kind === 'TYPE') expect(line).toBe(`# TYPE ${name} gauge`);
      continue;
    }
    const [, family = '', labels = '', value = ''] = SAMPLE.exec(line) ?? expect.fail(line);
    expect(announced).toContain(`TYPE ${family}`);
    const key = family.replace('keytrustee_backup_', '') + labels;
    expect(samples).not.toHaveProperty([key]);
    samples[key] = value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value);
    expect(samples[key]).not.toBeNaN();
  }
  expect(new Set(announced).size).toBe(announced.length);
  return samples;
}

async function place() {
  const server = await testServer();
  const output = await ownedDirectory(server.directory, 'backups');
  const metrics = await ownedDirectory(server.directory, 'metrics');
  const file = join(metrics, 'keytrustee.prom');
  const attempt = async (...args: string[]) => {
    const words = args.length > 0 ? args : ['--cleartext'];
    const made = await server.ktbackup([...words, '-q', `--output=${output}`, `--metrics-file=${file}`]);
    return { ...made, stderr: withoutDrop(made.stderr) };
  };
  const read = async () => parse(await readFile(file, 'utf8'));
  return { server, output, metrics, file, attempt, read };
}

const seconds = () => Date.now() / 1000;

async function stop(server: TestServer): Promise<void> {
  expect((await server.ktadmin(['db', 'stop'])).status).toBe(0);
}

test('success and failure are told apart, and a failure leaves the last success as it was', async () => {
  const { server, file, attempt, read } = await place();
  const start = seconds();
  const made = await attempt();
  const first = await read();
  expect((await lstat(file)).mode & 0o777).toBe(0o644);
  expect(Object.keys(first).toSorted()).toEqual([
    'age_seconds',
    'last_attempt_success',
    'last_attempt_timestamp_seconds',
    'last_success_timestamp_seconds',
    'size_bytes',
    'verified_sets',
  ]);
  const { last_success_timestamp_seconds: success, age_seconds: age } = first;
  expect(first).toMatchObject({
    last_attempt_success: 1,
    last_attempt_timestamp_seconds: success,
    verified_sets: 1,
    size_bytes: (await lstat(made.stdout.trim())).size,
  });
  expect(success).toBeGreaterThan(start);
  expect(success).toBeLessThan(seconds());
  expect(age).toBeGreaterThan(0);
  expect(age).toBeLessThan(seconds() - start);

  await stop(server);
  expect((await attempt()).status).toBe(7);
  const second = await read();
  expect(second).toMatchObject({
    last_attempt_success: 0,
    last_success_timestamp_seconds: success,
    verified_sets: 1,
    size_bytes: first.size_bytes,
  });
  expect(second.last_attempt_timestamp_seconds).toBeGreaterThan(success ?? 0);
  expect(second.age_seconds).toBeGreaterThan(age ?? 0);

  // Where the file is damaged, the sets themselves say when the last success was.
  await writeFile(file, 'keytrustee_backup_last_success_timestamp_seconds NaN\n\0\nnonsense{ 1\n');
  expect((await attempt()).status).toBe(7);
  const third = await read();
  expect(third.last_success_timestamp_seconds).toBeGreaterThan(start - 1);
  expect(third.last_success_timestamp_seconds).toBeLessThanOrEqual(success ?? 0);
});

test('a failure where nothing ever succeeded claims no success', async () => {
  const { server, attempt, read } = await place();
  await stop(server);
  expect((await attempt()).status).toBe(7);
  const found = await read();
  expect(Object.keys(found).toSorted()).toEqual([
    'last_attempt_success',
    'last_attempt_timestamp_seconds',
    'verified_sets',
  ]);
  expect(found).toMatchObject({ last_attempt_success: 0, verified_sets: 0 });
});

test('until when each recipient can be encrypted to, also once that is over', async () => {
  const { server, output, file } = await place();
  const ring = await keyring(server.directory);
  const ends = await ring.make('Ends', { expires: '20300101T000000' });
  const stays = await ring.make('Stays');
  const ended = await ring.make('Ended', { expires: '20240101T000000', madeAt: '20230101T000000' });
  const run = (names: string[]) =>
    server.ktbackup(
      [...names.map((name) => `--gpg-recipient=${name}`), '-q', '--output', output, '--metrics-file', file],
      { env: { GNUPGHOME: ring.home } },
    );
  expect((await run(['Ends', 'Stays'])).status).toBe(0);
  const key = (fingerprint: string) => `recipient_expiry_timestamp_seconds{fingerprint="${fingerprint}"}`;
  expect(parse(await readFile(file, 'utf8'))).toMatchObject({
    [key(ends)]: Date.UTC(2030) / 1000,
    [key(stays)]: Number.POSITIVE_INFINITY,
  });
  expect((await run(['Ended'])).status).toBe(1);
  expect(parse(await readFile(file, 'utf8'))).toMatchObject({
    last_attempt_success: 0,
    [key(ended)]: Date.UTC(2024) / 1000,
  });
});

test('a file that cannot be written is a warning, and the backup is as good', async () => {
  const { server, output, metrics, file, attempt } = await place();
  await chmod(metrics, 0o500);
  const made = await attempt();
  expect(made.status).toBe(0);
  expect(made.stdout).toMatch(/\.tar\n$/);
  expect(made.stderr).toMatch(
    new RegExp(
      ` - WARNING - The metrics in ${file} could not be written: ${file}\\.part: permission denied\\n$`,
    ),
  );
  await chmod(metrics, 0o700);
  const nowhere = join(metrics, 'missing', 'x.prom');
  const again = await server.ktbackup(['--cleartext', '-q', '--output', output, '--metrics-file', nowhere]);
  expect(again.status).toBe(0);
  expect(again.stderr).toContain(`WARNING - The metrics in ${nowhere} could not be written: `);
});
