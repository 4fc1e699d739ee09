/** A pair of servers made by hand: the passive one's PostgreSQL follows the active one's over its unix socket. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll } from 'vitest';
import { findPostgres } from '../../src/lib/database/binaries.ts';
import { postmaster } from './postgres.ts';
import { allEnded, descendants } from './processes.ts';
import {
  asAccount,
  freePort,
  isRoot,
  replaceIn,
  run,
  serverAt,
  type TestServer,
  temporaryDirectory,
  testServer,
  until,
  world,
} from './sandbox.ts';
import { configure, sharedServing } from './serving.ts';

/** Two servers, of which the second one follows. */
export interface Pair {
  active: TestServer;
  passive: TestServer;
  /** Kills the passive server's PostgreSQL. */
  kill(): Promise<void>;
  /** Stops all of its processes where they are; they can be let go on. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Starts it again, and waits until writes are taken. */
  restart(): Promise<void>;
}

/** The name under which the passive server's PostgreSQL follows. */
const NAME = 'ktpassive';

/** Sets what only this host has, as `ktadmin ha` does: PostgreSQL reads it again, where it runs. */
export async function setReplication(server: TestServer, lines: string[], reload = true): Promise<void> {
  const path = join(server.pgRootdir, 'replication.conf');
  await writeFile(path, `${lines.join('\n')}\n`);
  await chmod(path, 0o644);
  if (reload) await server.query('select pg_reload_conf()');
}

/** Settings of an active server that waits for its passive one. */
const ACTIVE = [
  `keytrustee.role = 'active'`,
  `synchronous_standby_names = '${NAME}'`,
  'synchronous_commit = remote_apply',
  'wal_sender_timeout = 2s',
];

/** Writes the line that brings `replication.conf` in, where `init` has not done so. */
async function include(server: TestServer): Promise<void> {
  const path = join(server.pgRootdir, 'postgresql.conf');
  await run('sh', [
    '-c',
    `grep -q replication.conf "$0" || echo "include_if_exists = 'replication.conf'" >> "$0"`,
    path,
  ]);
}

async function baseCopy(active: TestServer, directory: string): Promise<void> {
  const program = join((await findPostgres()).directory, 'pg_basebackup');
  const from = ['-h', join(active.pgRootdir, 'run'), '-p', `${active.port}`, '-U', 'keytrustee', '-w'];
  const copied = await asAccount(program, [
    ...from,
    '-D',
    join(directory, 'db', 'data'),
    '-X',
    'stream',
    '-c',
    'fast',
  ]);
  if (copied.status !== 0) throw new Error(copied.stderr);
}

/** A copy of the active server's host in another directory, with a database of its own that follows. */
async function makePassive(active: TestServer, directory: string): Promise<TestServer> {
  const port = await freePort();
  const copy = `cp -a "$0/.keytrustee" "$1" && mkdir -m 700 "$1/db" "$1/db/run" "$1/db/log" && cp -a "$0"/db/*.conf "$1/db"`;
  const copied = await run('sh', ['-c', copy, active.directory, directory]);
  if (copied.status !== 0) throw new Error(copied.stderr);
  const { uid, gid } = world.account;
  if (isRoot) await run('chown', ['-R', `${uid}:${gid}`, join(directory, 'db')]);
  const pairs: [string, string][] = [
    [active.directory, directory],
    [`port = ${active.port}`, `port = ${port}`],
    [`"DB_PORT": ${active.port}`, `"DB_PORT": ${port}`],
  ];
  await replaceIn(join(directory, '.keytrustee', 'keytrustee.conf'), pairs);
  await replaceIn(join(directory, 'db', 'postgresql.conf'), pairs);
  await baseCopy(active, directory);
  const passive = await serverAt(directory, port);
  const source = `host=${join(active.pgRootdir, 'run')} port=${active.port} user=keytrustee application_name=${NAME}`;
  const settings = [
    `keytrustee.role = 'passive'`,
    `primary_conninfo = '${source}'`,
    'hot_standby_feedback = on',
  ];
  await setReplication(passive, settings, false);
  await writeFile(join(passive.pgRootdir, 'data', 'standby.signal'), '');
  return passive;
}

async function start(active: TestServer, passive: TestServer): Promise<void> {
  const started = await passive.ktadmin(['db', 'start']);
  if (started.status !== 0) throw new Error(started.stderr);
  const streams = `select count(*) from pg_stat_replication where state = 'streaming' and sync_state = 'sync'`;
  await until(async () => (await active.query(streams)) === '1', 'the passive server follows');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It has ended meanwhile.
    if ((error as { code?: string }).code !== 'ESRCH') throw error;
  }
}

/** Makes a pair that waits for both; gone when the test has ended. */
async function testPair(atEnd: (cleanUp: () => Promise<void>) => void): Promise<Pair> {
  const active = await testServer({ atEnd });
  const directory = await temporaryDirectory(atEnd);
  await include(active);
  const passive = await makePassive(active, directory);
  await setReplication(active, ACTIVE);
  await start(active, passive);
  let frozen: number[] = [];
  const thaw = async () => {
    for (const pid of frozen.splice(0)) signal(pid, 'SIGCONT');
  };
  // What is frozen cannot be stopped.
  atEnd(thaw);
  return {
    active,
    passive,
    async kill() {
      const pid = await postmaster(passive);
      // What is frozen does not see that it is alone.
      for (const one of frozen.length > 0 ? frozen.splice(0) : [pid]) signal(one, 'SIGKILL');
      await allEnded(passive.pgRootdir);
    },
    async freeze() {
      const pid = await postmaster(passive);
      frozen = [...(await descendants(pid)).map((seen) => seen.pid), pid];
      for (const one of frozen) signal(one, 'SIGSTOP');
    },
    thaw,
    restart: () => start(active, passive),
  };
}

/** One pair for all tests of a file, to be called at its top; it may be used once the tests run. */
export function sharedPair(): Pair {
  const pair = { active: {}, passive: {} } as Pair;
  beforeAll(async () => {
    const cleanUps: (() => Promise<void>)[] = [];
    const { active, passive, ...faults } = await testPair((cleanUp) => cleanUps.unshift(cleanUp));
    Object.assign(pair, faults);
    Object.assign(pair.active, active);
    Object.assign(pair.passive, passive);
    return async () => {
      for (const cleanUp of cleanUps) await cleanUp();
    };
  });
  afterEach(() => pair.thaw());
  return pair;
}

/** A pair for all tests of a file, which both serve and send no mail; to be called at its top. */
export function sharedServedPair() {
  const pair = sharedPair();
  const quiet = (which: 'active' | 'passive') => () => configure(pair[which], { MAIL_TRANSPORT: 'none' });
  const serve = (which: 'active' | 'passive') => sharedServing(pair[which], quiet(which));
  return { pair, active: serve('active'), passive: serve('passive') };
}
