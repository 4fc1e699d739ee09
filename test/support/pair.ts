/** Two servers of a pair on one machine, over loopback, for tests. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, onTestFinished } from 'vitest';
import { freePort, replaceIn, run, type TestServer, testServer, until } from './sandbox.ts';
import { configure } from './serving.ts';

type AtEnd = (cleanUp: () => Promise<void>) => void;

/** An active server and its passive one. Both are reached as `localhost`, at ports of their own. */
export interface TestPair {
  active: TestServer;
  passive: TestServer;
  /** Who a server is for PostgreSQL. */
  node(server: TestServer): Promise<{ id: string; role: string; epoch: number }>;
}

/** How far a pair is made: copied only, joined, or joined and synchronous. */
type Stage = 'copied' | 'joined' | 'synchronous';

/** A command that must end well. */
export async function must(outcome: Promise<{ status: number | null; stderr: string; stdout: string }>) {
  const ended = await outcome;
  if (ended.status !== 0) throw new Error(`status ${ended.status}: ${ended.stderr}${ended.stdout}`);
  return ended;
}

/** What the procedure's rsync and `ktadmin init` make of a server on another host; its database is not started. */
export async function copyOf(active: TestServer, atEnd: AtEnd = onTestFinished): Promise<TestServer> {
  const passive = await testServer({ start: false, atEnd });
  for (const directory of [passive.confdir, passive.pgRootdir]) await rm(directory, { recursive: true });
  await run('rsync', ['-a', '--exclude', '.ssl', `${active.confdir}/`, passive.confdir]);
  const port = await freePort();
  await replaceIn(join(passive.confdir, 'keytrustee.conf'), [
    [active.directory, passive.directory],
    [`"DB_PORT": ${active.port}`, `"DB_PORT": ${port}`],
    [`"DB_PORT":${active.port}`, `"DB_PORT":${port}`],
  ]);
  Object.assign(passive, { port, fingerprint: active.fingerprint });
  await must(passive.ktadmin(['init', '--external-address', 'localhost']));
  return passive;
}

/** Makes a pair by the documented commands. */
async function testPair({
  stage = 'synchronous' as Stage,
  atEnd = onTestFinished as AtEnd,
} = {}): Promise<TestPair> {
  const active = await testServer({ start: false, atEnd });
  await configure(active, { METRICS_PORT: 0, EXTERNAL_ADDRESS: 'localhost' });
  await must(active.ktadmin(['db', 'start']));
  const passive = await copyOf(active, atEnd);
  if (stage !== 'copied') await must(passive.ktadmin(['ha', 'join', '--active', `localhost:${active.port}`]));
  if (stage === 'synchronous') await must(active.ktadmin(['ha', 'sync', 'on']));
  const node = async ({ pgRootdir }: TestServer) =>
    JSON.parse(await readFile(join(pgRootdir, 'replication/node.json'), 'utf8'));
  return { active, passive, node };
}

/** One pair for all tests of a file, to be called at its top; it may be used once the tests run. */
export function sharedPair(stage: Stage = 'synchronous'): TestPair {
  const pair = {} as TestPair;
  beforeAll(async () => {
    const cleanUps: (() => Promise<void>)[] = [];
    const end = async () => {
      for (const cleanUp of cleanUps.toReversed()) await cleanUp();
    };
    try {
      Object.assign(pair, await testPair({ stage, atEnd: (cleanUp) => cleanUps.push(cleanUp) }));
    } catch (error) {
      await end();
      throw error;
    }
    return end;
  });
  return pair;
}

/** Waits until the passive of a pair is in step again, as the active one sees it. */
export async function untilInStep({ active }: TestPair): Promise<void> {
  await until(async () => {
    const seen = await active.query(
      "select count(*) from pg_stat_replication where sync_state = 'sync' and state = 'streaming'",
    );
    return seen === '1';
  }, 'the passive is in step');
}
