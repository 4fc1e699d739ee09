/** Servers that answer over HTTPS, for tests. */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import { beforeAll, onTestFinished } from 'vitest';
import { baseEnvironment, freePort, type TestServer, until, world } from './sandbox.ts';

/** A server that runs: `ktadmin serve` on a port of its own. */
export interface Serving {
  pid: number;
  port: number;
  /** What it has said on stderr so far. */
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
  /** Settles when it has ended. */
  ended: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
}

/** How a server is started. */
export interface ServeOptions {
  args?: string[];
  env?: Record<string, string>;
  /** Where it is ended: after the test, unless the file shares it. */
  atEnd?: (cleanUp: () => Promise<void>) => void;
}

/** Starts `ktadmin serve` and waits until it listens. */
export async function serving(server: TestServer, options: ServeOptions = {}): Promise<Serving> {
  const port = await freePort();
  const words = ['serve', '--port', `${port}`, ...(options.args ?? [])];
  const child = spawn(join(world.bin, 'ktadmin'), words, {
    env: { ...baseEnvironment(), KEYTRUSTEE_CONFDIR: server.confdir, ...options.env },
    cwd: '/',
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<{ status: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (status, signal) => resolve({ status, signal }));
  });
  (options.atEnd ?? onTestFinished)(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
  });
  await until(() => stderr.includes('listening on') || child.exitCode !== null, 'the server listens');
  if (child.exitCode !== null) throw new Error(stderr);
  return {
    pid: child.pid ?? 0,
    port,
    stderr: () => stderr,
    kill: (signal) => void child.kill(signal),
    ended,
  };
}

/** One running server for all tests of a file, to be called at its top; it may be used once the tests run. */
export function sharedServing(
  server: TestServer,
  prepare: () => Promise<void> = async () => undefined,
): Serving {
  const running = {} as Serving;
  beforeAll(async () => {
    const cleanUps: (() => Promise<void>)[] = [];
    await prepare();
    Object.assign(running, await serving(server, { atEnd: (cleanUp) => cleanUps.push(cleanUp) }));
    return async () => {
      for (const cleanUp of cleanUps) await cleanUp();
    };
  });
  return running;
}

/** An answer over HTTPS. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** Sends one request; the server's certificate is not checked. */
export function ask(port: number, path: string, options: RequestOptions & { body?: string | Buffer } = {}) {
  const { body, ...rest } = options;
  return new Promise<Answer>((resolve, reject) => {
    const request = httpsRequest(
      { host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false, ...rest },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** Changes settings in a server's keytrustee.conf; undefined takes one out. */
export async function configure(server: TestServer, settings: Record<string, unknown>): Promise<void> {
  const path = join(server.confdir, 'keytrustee.conf');
  const configuration = { ...JSON.parse(await readFile(path, 'utf8')), ...settings };
  await writeFile(path, JSON.stringify(configuration));
}
