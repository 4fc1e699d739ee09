import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import {
  baseEnvironment,
  sharedServer,
  temporaryDirectory,
  withoutDrop,
  world,
} from '../../support/sandbox.ts';

const COUNT = 100_000;
const server = sharedServer();

/** Written by the process itself when it ends: the most memory it has held, in KiB. */
const PRELOAD = `
import { writeSync } from 'node:fs';
process.on('exit', () => writeSync(3, String(process.resourceUsage().maxRSS)));
`;

beforeAll(async () => {
  await server.query(
    `insert into public.organization (uuid, name, auth_secret)
     select lpad(n::text, 43, '0'), 'o' || n, repeat(chr(65 + n % 26), 24) from generate_series(1, ${COUNT}) as n`,
  );
});

function start(file: string, args: string[]): ChildProcess {
  const env = { ...baseEnvironment(), KEYTRUSTEE_CONFDIR: server.confdir };
  return spawn(file, args, { env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
}

async function read(stream: unknown): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

test('100,000 organizations are listed whole, and within 150 MB of memory', async () => {
  const preload = join(await temporaryDirectory(), 'preload.mjs');
  await writeFile(preload, PRELOAD);
  const orgtool = join(world.bin, 'keytrustee-orgtool');
  const child = start(process.execPath, ['--import', preload, orgtool, 'list']);
  const [text, stderr, memory] = await Promise.all([child.stdout, child.stderr, child.stdio[3]].map(read));
  if (child.exitCode === null) await once(child, 'exit');
  expect(child.exitCode).toBe(0);
  expect(withoutDrop(stderr ?? '')).toBe('');
  const names = Object.keys(JSON.parse(text ?? '') as object);
  expect(names).toHaveLength(COUNT);
  expect(names).toEqual(names.toSorted());
  expect(Number(memory)).toBeGreaterThan(10 * 1024);
  expect(Number(memory)).toBeLessThan(150 * 1024);
});

test('a reader that stops after one line ends it quietly, with status 0', async () => {
  const child = start('bash', ['-c', 'set -o pipefail; keytrustee-orgtool list | head -1; echo $?']);
  const [stdout, stderr] = await Promise.all([child.stdout, child.stderr].map(read));
  expect(stdout).toBe('{\n0\n');
  expect(withoutDrop(stderr ?? '')).toBe('');
});

test('a slow reader of a pipe gets every byte', async () => {
  const whole = await server.orgtool(['list']);
  expect(whole.stdout.length).toBeGreaterThan(10 * 1024 * 1024);
  const child = start('keytrustee-orgtool', ['list']);
  const stdout = child.stdout as NodeJS.ReadableStream;
  const hash = createHash('sha256');
  // One byte first, and the rest only when the pipe has long been full.
  await once(stdout, 'readable');
  hash.update(stdout.read(1) as Buffer);
  await server.orgtool(['list', '-n', 'o1']);
  for await (const piece of stdout as AsyncIterable<Buffer>) {
    hash.update(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(hash.digest('hex')).toBe(digest(whole.stdout));
});
