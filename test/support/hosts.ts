/** Two hosts for tests: network namespaces joined by a wire, each with the product where a real machine has it. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, onTestFinished } from 'vitest';
import { type BareHost, makePair } from '../../bench/ha-hosts/pair.mjs';
import { makeReady } from '../../bench/ha-hosts/ready.mjs';
import { baseEnvironment, type Outcome, type RunOptions, run, until, world } from './sandbox.ts';
import type { Serving } from './serving.ts';

/** Where the product keeps what it keeps, as each host sees it; nothing else is in a host's /var/lib. */
const PLACE = '/var/lib/keytrustee';
const PG_ROOTDIR = `${PLACE}/db`;

/** One host. Its programs see its own host name, network, processes, /etc/hosts, /tmp, /dev/shm and /var/lib. */
export interface Host {
  /** `kt01.example.com`. */
  name: string;
  /** Where the other host finds it, and where the client does, which is us. */
  link: string;
  address: string;
  /** As the host sees it. */
  confdir: string;
  pgRootdir: string;
  /** Its /var/lib/keytrustee, where that is a directory of ours. */
  place: string;
  /** A path of the host's, by which we reach it. */
  path(path: string): string;
  run(file: string, args: string[], options?: RunOptions): Promise<Outcome>;
  asAccount(file: string, args: string[], options?: RunOptions): Promise<Outcome>;
  ktadmin(args: string[], options?: RunOptions): Promise<Outcome>;
  /** The same, which must succeed; returns its standard output. */
  must(args: string[], options?: RunOptions): Promise<string>;
  /** One query by psql as the database's owner, unaligned, without headers. */
  query(sql: string): Promise<string>;
  /** Starts `ktadmin serve` on its own port, and waits until it listens. */
  serve(args?: string[]): Promise<Serving>;
  /** The number of PostgreSQL's first process, as we count; undefined where it does not run. */
  postmaster(): Promise<number | undefined>;
  /** Ends the first process of its PostgreSQL, or of the server that it was last told to run, without a chance. */
  kill9(what: 'postgres' | 'server'): Promise<void>;
  /** Takes all space of its database's disk but `leave` bytes, and gives it back; for a pair made with `disk`. */
  fillDisk(leave?: number): Promise<void>;
  freeDisk(): Promise<void>;
}

/** Two hosts; nothing is set up on them. */
export interface Pair {
  kt01: Host;
  kt02: Host;
  /** Loses all packets between the two, silently; we still reach both. */
  cutLink(): Promise<void>;
  healLink(): Promise<void>;
  end(): Promise<void>;
}

/** How a pair is made. With `disk` (`256m`) each host's pg-rootdir is a file system in memory of that size. */
export interface PairOptions {
  disk?: string;
  /** Where it is ended: after the test, unless the file shares it. */
  atEnd?: (cleanUp: () => Promise<void>) => void;
}

async function startServing(host: BareHost, args: string[]): Promise<Serving> {
  const [nsenter, ...words] = host.words(join(world.bin, 'ktadmin'), ['serve', ...args]);
  const child = spawn(nsenter, words, {
    env: baseEnvironment(),
    cwd: '/',
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<{ status: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (status, signal) => resolve({ status, signal }));
  });
  await until(() => stderr.includes('listening on') || child.exitCode !== null, 'the server listens');
  if (child.exitCode !== null) throw new Error(stderr);
  // nsenter waits for the program, which is its child: whoever enters a space of processes has to be born there.
  const pid = Number((await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')).trim());
  const kill = (signal: NodeJS.Signals) => void process.kill(pid, signal);
  return { pid, port: 11371, stderr: () => stderr, kill, ended };
}

async function findPostmaster(host: BareHost): Promise<number | undefined> {
  const file = host.path(`${PG_ROOTDIR}/data/postmaster.pid`);
  const text = await readFile(file, 'utf8').catch(() => '');
  return text === '' ? undefined : host.outerPid(Number.parseInt(text, 10));
}

function dress(host: BareHost): Host {
  let serving: Serving | undefined;
  const runHere = (file: string, args: string[], options: RunOptions = {}) => {
    const [nsenter, ...words] = host.words(file, args);
    return run(nsenter, words, options);
  };
  const ktadmin = (args: string[], options?: RunOptions) =>
    runHere(join(world.bin, 'ktadmin'), args, options);
  const must = async (args: string[], options?: RunOptions) => {
    const done = await ktadmin(args, options);
    if (done.status !== 0) throw new Error(`ktadmin ${args.join(' ')} on ${host.name}: ${done.stderr}`);
    return done.stdout;
  };
  const noDisk = () => Promise.reject(new Error('this pair was made without a disk'));
  return {
    name: host.name,
    link: host.link,
    address: host.address,
    confdir: `${PLACE}/.keytrustee`,
    pgRootdir: PG_ROOTDIR,
    place: host.place,
    path: host.path,
    run: runHere,
    asAccount: (file, args, options) => {
      const { name } = world.account;
      const words = [`--reuid=${name}`, `--regid=${name}`, '--init-groups', file, ...args];
      return runHere('setpriv', words, options);
    },
    ktadmin,
    must,
    query: async (sql) => (await must(['db', 'psql', '--', '-X', '-A', '-t', '-c', sql])).trim(),
    async serve(args = []) {
      serving = await startServing(host, args);
      return serving;
    },
    postmaster: () => findPostmaster(host),
    async kill9(what) {
      const pid = what === 'server' ? serving?.pid : await findPostmaster(host);
      if (pid === undefined) throw new Error(`no ${what} runs on ${host.name}`);
      process.kill(pid, 'SIGKILL');
    },
    fillDisk: host.fillDisk ?? noDisk,
    freeDisk: host.freeDisk ?? noDisk,
  };
}

let made = 0;

/** Makes two hosts that see each other; only in `npm run test:ha`, one pair at a time. */
async function twoHosts({ disk, atEnd = onTestFinished }: PairOptions = {}): Promise<Pair> {
  made += 1;
  const directory = join(world.directory, `hosts-${process.pid}-${made}`);
  const bare = await makePair({ directory, shared: world.directory, account: world.account, disk });
  const [kt01, kt02] = bare.hosts.map(dress) as [Host, Host];
  atEnd(bare.end);
  return { kt01, kt02, cutLink: bare.cutLink, healLink: bare.healLink, end: bare.end };
}

/** Both hosts' servers, as they were first started. */
export interface ServingPair extends Pair {
  servers: { kt01: Serving; kt02: Serving };
}

/** The same, set up by the documented procedure: kt01 is the active, kt02 follows in synchrony, and both serve. */
export function sharedPairOfHosts(options: PairOptions = {}): ServingPair {
  const pair = sharedHosts(options) as ServingPair;
  beforeAll(async () => {
    const { kt01, kt02 } = pair;
    const servers = new Map<Host, Serving>();
    const serve = async (host: Host) => void servers.set(host, await host.serve());
    await makeReady([kt01, kt02], { serve });
    pair.servers = { kt01: servers.get(kt01) as Serving, kt02: servers.get(kt02) as Serving };
  });
  return pair;
}

/** One pair for all tests of a file, to be called at its top; it may be used once the tests run. */
export function sharedHosts(options: PairOptions = {}): Pair {
  const pair = {} as Pair;
  beforeAll(async () => {
    Object.assign(pair, await twoHosts({ ...options, atEnd: () => undefined }));
    return pair.end;
  });
  return pair;
}
