import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, inject, onTestFinished } from 'vitest';

export const world = inject('world');
export const isRoot = process.getuid?.() === 0;

/** How a program ended and what it said. */
export interface Outcome {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  input?: string;
  cwd?: string;
  /** Called with the process as soon as it runs, for signals. */
  started?: (child: { pid: number; kill(signal: NodeJS.Signals): boolean }) => void;
  /** Called with all of stderr so far, whenever there is more of it. */
  heard?: (stderr: string) => void;
}

/** The environment of every program under test: nothing of the machine's own. */
export function baseEnvironment(): Record<string, string> {
  return {
    PATH: `${world.bin}:${process.env.PATH ?? ''}`,
    HOME: join(world.directory, 'home'),
    KTADMIN_USER: world.account.name,
    TZ: 'UTC',
    TERM: 'xterm-256color',
  };
}

/** Runs a program to its end; its status is not judged here. */
export async function run(file: string, args: string[], options: RunOptions = {}): Promise<Outcome> {
  const child = spawn(file, args, {
    env: { ...baseEnvironment(), ...options.env },
    cwd: options.cwd ?? '/',
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  child.stderr.on('data', () => options.heard?.(output.stderr));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  if (child.pid !== undefined) options.started?.({ pid: child.pid, kill: (signal) => child.kill(signal) });
  return await new Promise<Outcome>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve({ status, signal, ...output }));
  });
}

/** Runs the program under one of its names. */
export function kt(name: string, args: string[], options: RunOptions = {}): Promise<Outcome> {
  return run(join(world.bin, name), args, options);
}

/** Runs a program as the service account. */
export function asAccount(file: string, args: string[], options: RunOptions = {}): Promise<Outcome> {
  if (!isRoot) return run(file, args, options);
  const { name } = world.account;
  return run('setpriv', [`--reuid=${name}`, `--regid=${name}`, '--init-groups', file, ...args], options);
}

/** stderr without the line that only root sees. */
export function withoutDrop(stderr: string): string {
  return stderr.replace(`Dropped privileges to ${world.account.name}\n`, '');
}

/** Ports that the kernel gives to no connection by itself: none of another test's takes one that was just found free. */
const PORTS = { from: 13_000, to: 32_000 };

const isFree = (port: number) =>
  new Promise<boolean>((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });

/** A port that nothing listens on now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to);
    if (await isFree(port)) return port;
  }
}

/** Takes what is to be done at the end: of the test, unless somebody else collects it. */
type AtEnd = (cleanUp: () => Promise<void>) => void;

/** A directory of the service account that is gone when the test has ended. */
export async function temporaryDirectory(atEnd: AtEnd = onTestFinished): Promise<string> {
  const directory = await mkdtemp(join(world.directory, 't'));
  if (isRoot) await chown(directory, world.account.uid, world.account.gid);
  atEnd(async () => {
    await stopClusters(directory);
    await rm(directory, { recursive: true, force: true });
  });
  return directory;
}

async function stopClusters(directory: string): Promise<void> {
  const { readdir } = await import('node:fs/promises');
  for (const name of ['.', ...(await readdir(directory).catch(() => []))]) {
    for (const root of [join(directory, name), join(directory, name, 'db')]) {
      if (existsSync(join(root, 'data', 'postmaster.pid')))
        await kt('ktadmin', ['db', 'stop', '--pg-rootdir', root]);
    }
  }
}

/** A server of a test's own. */
export interface TestServer {
  directory: string;
  confdir: string;
  pgRootdir: string;
  port: number;
  fingerprint: string;
  /** Runs `ktadmin ARGS` on it. */
  ktadmin(args: string[], options?: RunOptions): Promise<Outcome>;
  orgtool(args: string[], options?: RunOptions): Promise<Outcome>;
  ktbackup(args: string[], options?: RunOptions): Promise<Outcome>;
  /** One query by psql, unaligned, without headers. */
  query(sql: string): Promise<string>;
}

/** Replaces texts in a file, each wherever it stands. */
export async function replaceIn(path: string, pairs: [string, string][]): Promise<void> {
  let text = await readFile(path, 'utf8');
  for (const [from, to] of pairs) text = text.replaceAll(from, to);
  await writeFile(path, text);
}

/** A copy of the template server, its database running unless `start` is false; gone when the test has ended. */
export async function testServer({
  start = true,
  atEnd = onTestFinished as AtEnd,
} = {}): Promise<TestServer> {
  const directory = await temporaryDirectory(atEnd);
  const template = join(world.directory, 'template');
  await run('cp', ['-a', `${template}/.`, directory]);
  const port = await freePort();
  const pairs: [string, string][] = [
    [template, directory],
    [`port = ${world.port}`, `port = ${port}`],
    [`"DB_PORT": ${world.port}`, `"DB_PORT": ${port}`],
  ];
  const confdir = join(directory, '.keytrustee');
  const pgRootdir = join(directory, 'db');
  await replaceIn(join(confdir, 'keytrustee.conf'), pairs);
  await replaceIn(join(pgRootdir, 'postgresql.conf'), pairs);
  const server = await serverAt(directory, port);
  if (start) {
    const started = await server.ktadmin(['db', 'start']);
    if (started.status !== 0) throw new Error(started.stderr);
  }
  return server;
}

/** The server whose confdir and database lie in a directory. */
export async function serverAt(directory: string, port: number): Promise<TestServer> {
  const confdir = join(directory, '.keytrustee');
  const configuration = JSON.parse(await readFile(join(confdir, 'keytrustee.conf'), 'utf8')) as Record<
    string,
    string
  >;
  const call =
    (name: string) =>
    (args: string[], options: RunOptions = {}) =>
      kt(name, args, { ...options, env: { KEYTRUSTEE_CONFDIR: confdir, ...options.env } });
  const server: TestServer = {
    directory,
    confdir,
    pgRootdir: join(directory, 'db'),
    port,
    fingerprint: configuration.LOCAL_FINGERPRINT ?? '',
    ktadmin: call('ktadmin'),
    orgtool: call('keytrustee-orgtool'),
    ktbackup: call('ktbackup'),
    query: (sql) => queryDatabase(server, sql),
  };
  return server;
}

/** Asks a database of a server by psql itself, which costs a tenth of `ktadmin db psql`; that is asked where none answers. */
export async function queryDatabase(
  server: TestServer,
  sql: string,
  database = 'keytrustee',
): Promise<string> {
  const question = ['-X', '-A', '-t', '-d', database, '-c', sql];
  const place = ['-h', join(server.pgRootdir, 'run'), '-p', `${server.port}`, '-U', 'keytrustee', '-w'];
  const env = { LC_ALL: 'C.UTF-8' };
  let answer = await asAccount(join(world.postgres, 'psql'), [...place, ...question], { env });
  if (answer.stderr.startsWith('psql: error: connection to server'))
    answer = await server.ktadmin(['db', 'psql', '--', ...question]);
  if (answer.status !== 0) throw new Error(answer.stderr);
  return answer.stdout.trim();
}

/** One running server for all tests of a file, to be called at its top; it may be used once the tests run. */
export function sharedServer(): TestServer {
  const server = {} as TestServer;
  beforeAll(async () => {
    const cleanUps: (() => Promise<void>)[] = [];
    Object.assign(server, await testServer({ atEnd: (cleanUp) => cleanUps.push(cleanUp) }));
    return async () => {
      for (const cleanUp of cleanUps) await cleanUp();
    };
  });
  return server;
}

/**
 * SHA-256 of every file below a directory, sorted, as `sha256sum` prints them, which takes twice as long; but for the number of
 * the last backup and the audit trail, which never go back.
 */
export async function checksums(directory: string): Promise<string> {
  // GnuPG's locks come and go while a server is at work.
  const locks = ['!', '-name', '.#lk*', '!', '-name', '*.lock'];
  const listed = await run('find', [
    ...[directory, '-type', 'f', '!', '-name', 'backup.sequence', '!', '-path', '*/audit/*', ...locks],
    ...['-exec', 'openssl', 'dgst', '-sha256', '-r', '{}', '+'],
  ]);
  return listed.stdout.replaceAll(' *', '  ').split('\n').toSorted().join('\n');
}

/** A backup set's directory that the service account owns. */
export async function ownedDirectory(parent: string, name: string): Promise<string> {
  const directory = join(parent, name);
  await mkdir(directory, { mode: 0o700, recursive: true });
  if (isRoot) await chown(directory, world.account.uid, world.account.gid);
  return directory;
}

/** Waits until a condition holds; fails after half a minute. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const limit = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > limit) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
