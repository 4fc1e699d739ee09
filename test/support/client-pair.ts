/** A client of two servers that a test makes refuse, be cut off, or say nothing. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import {
  type ClientError,
  type KeyTrusteeClient,
  openClient,
  registerClient,
} from '../../src/lib/client/client.ts';
import { type Responder, responder, type Store, vouching } from './responder.ts';
import { temporaryDirectory } from './sandbox.ts';

/** A client between two servers. */
export interface ClientPair {
  store: Store;
  active: Responder;
  passive: Responder;
  home: string;
  warnings: string[];
  open(timeout?: number): Promise<KeyTrusteeClient>;
}

/** A directory with the key of all clients of a test file: making one takes time. To be called at the file's top. */
export function clientHomes(): (server: string, passive: string) => Promise<string> {
  let template = '';
  const cleanUps: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    const one = await responder(new Map());
    template = join(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)), 'home');
    const words = { server: one.url, organization: 'prod', caCertificate: await vouching(), name: 'machine' };
    await registerClient({ home: template, ...words });
    await one.close();
  });
  afterAll(async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  });
  return async (server, passive) => {
    const home = join(await temporaryDirectory(), 'home');
    await mkdir(join(home, 'pending'), { recursive: true, mode: 0o700 });
    await copyFile(join(template, 'client.key'), join(home, 'client.key'));
    const before = JSON.parse(await readFile(join(template, 'client.conf'), 'utf8')) as object;
    const conf = JSON.stringify({ ...before, SERVER: server, PASSIVE_SERVER: passive });
    await writeFile(join(home, 'client.conf'), conf, { mode: 0o600 });
    return home;
  };
}

/** Opens clients of a directory, which are closed when the test has ended. */
export function opener(home: string, warnings: string[] = []): ClientPair['open'] {
  return async (timeout = 30_000) => {
    const client = await openClient({ home, timeout, warn: (text) => void warnings.push(text) });
    onTestFinished(client.close);
    return client;
  };
}

/** Refuses all that writes. */
export const refusing = (code: string) => (method: string, path: string) =>
  method !== 'GET' && !/challenges|sessions/.test(path) ? { status: 503, code } : undefined;

/** Starts an active and a passive server with a client. */
export async function newPair(homeFor: ReturnType<typeof clientHomes>): Promise<ClientPair> {
  const store: Store = new Map();
  const [active, passive] = [await responder(store), await responder(store)];
  onTestFinished(() => active.close());
  onTestFinished(() => passive.close());
  Object.assign(active, { role: 'active' });
  Object.assign(passive, { role: 'passive', reply: refusing('read_only') });
  const home = await homeFor(active.url, passive.url);
  const warnings: string[] = [];
  return { store, active, passive, home, warnings, open: opener(home, warnings) };
}

/** The passive server is the active one from now on, and the old one knows it. */
export function promote({ active, passive }: ClientPair): void {
  Object.assign(active, { role: 'fenced', reply: () => ({ status: 503, code: 'fenced' }) });
  Object.assign(passive, { role: 'active', reply: () => undefined });
}

/** How a call failed. */
export const failed = (call: Promise<unknown>) =>
  call.then(
    () => {
      throw new Error('it should have failed');
    },
    ({ code, message, hint, outcome }: ClientError) => ({ code, message, hint, outcome }),
  );
