/** PostgreSQL under Patroni and etcd, as Debian has them: three members on the loopback, one of which takes writes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findPostgres } from '../../src/lib/database/binaries.ts';
import { give } from './faults.ts';
import { asAccount, freePort, isRoot, ownedDirectory, temporaryDirectory, world } from './sandbox.ts';

type AtEnd = (cleanUp: () => Promise<void>) => void;

/** A member: its Patroni, and the PostgreSQL that this runs. */
export interface PatroniMember {
  port: number;
  /** What Patroni says: 200 where the member is what is asked for. */
  is(what: 'primary' | 'replica' | 'synchronous'): Promise<boolean>;
  /** Ends Patroni and PostgreSQL by SIGKILL, as the loss of a host does. */
  kill(): Promise<void>;
}

/** The cluster; its password is that of every role. */
export interface PatroniCluster {
  members: PatroniMember[];
  urls: string[];
  password: string;
  query(member: PatroniMember, database: string, sql: string): Promise<string>;
  log(): Promise<string>;
}

const PASSWORD = 'patroni';

/** Starts a program as the service account; its words go into a file. */
function start(program: string, args: string[], log: string): ChildProcess {
  const { name } = world.account;
  const drop = isRoot ? ['setpriv', `--reuid=${name}`, `--regid=${name}`, '--init-groups'] : [];
  const words = [...drop, 'sh', '-c', 'log=$1; shift; exec "$@" >>"$log" 2>&1', 'sh', log, program, ...args];
  const env = { PATH: `${process.env.PATH}`, HOME: '/', LC_ALL: 'C.UTF-8' };
  return spawn(words[0] ?? '', words.slice(1), { env, cwd: '/', stdio: 'ignore' });
}

const ended = (child: ChildProcess) =>
  new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });

/** Times are as short as three members on a busy machine stand: a leader that is gone is replaced after `ttl`. */
const settings = (
  name: string,
  directory: string,
  bin: string,
  ports: { pg: number; rest: number; etcd: number },
) => ({
  ...{ scope: 'kt', name },
  restapi: { listen: `127.0.0.1:${ports.rest}`, connect_address: `127.0.0.1:${ports.rest}` },
  etcd3: { host: `127.0.0.1:${ports.etcd}` },
  bootstrap: {
    dcs: {
      ...{ ttl: 20, loop_wait: 2, retry_timeout: 5, maximum_lag_on_failover: 1_048_576 },
      ...{ synchronous_mode: true, synchronous_mode_strict: true },
      postgresql: { use_pg_rewind: true, parameters: { wal_log_hints: 'on', max_connections: 80 } },
    },
    initdb: [{ encoding: 'UTF8' }, { locale: 'C.UTF-8' }, 'data-checksums'],
    pg_hba: [
      'host replication replicator 127.0.0.1/32 scram-sha-256',
      'host all all 127.0.0.1/32 scram-sha-256',
    ],
  },
  postgresql: {
    ...{ listen: `127.0.0.1:${ports.pg}`, connect_address: `127.0.0.1:${ports.pg}` },
    ...{ data_dir: join(directory, name), bin_dir: bin, pgpass: join(directory, `${name}.pgpass`) },
    authentication: {
      superuser: { username: 'postgres', password: PASSWORD },
      replication: { username: 'replicator', password: PASSWORD },
    },
    parameters: { unix_socket_directories: directory, fsync: 'off', password_encryption: 'scram-sha-256' },
  },
});

async function member(
  directory: string,
  name: string,
  bin: string,
  etcd: number,
  atEnd: AtEnd,
): Promise<PatroniMember> {
  const ports = { pg: await freePort(), rest: await freePort(), etcd };
  const file = join(directory, `${name}.yml`);
  // JSON is YAML.
  await writeFile(file, JSON.stringify(settings(name, directory, bin, ports)));
  await give(file);
  const patroni = start('patroni', [file], join(directory, `${name}.log`));
  const killServer = async () => {
    const pid = await readFile(join(directory, name, 'postmaster.pid'), 'utf8').catch(() => '');
    if (pid !== '') process.kill(Number.parseInt(pid, 10), 'SIGKILL');
  };
  const kill = async () => {
    patroni.kill('SIGKILL');
    await killServer().catch(() => undefined);
    await ended(patroni);
  };
  atEnd(kill);
  return {
    port: ports.pg,
    is: async (what) =>
      (await fetch(`http://127.0.0.1:${ports.rest}/${what}`).catch(() => undefined))?.status === 200,
    kill,
  };
}

/** Starts the cluster; it may take a while until a member takes writes. */
export async function patroniCluster(atEnd: AtEnd): Promise<PatroniCluster> {
  const parent = await temporaryDirectory(atEnd);
  const directory = await ownedDirectory(parent, 'pg');
  const bin = (await findPostgres()).directory;
  const [client, peer] = [await freePort(), await freePort()];
  const at = (port: number) => `http://127.0.0.1:${port}`;
  const words = ['--name', 'e', '--data-dir', join(directory, 'etcd'), '--initial-cluster', `e=${at(peer)}`];
  const places = [
    ...['--listen-client-urls', at(client), '--advertise-client-urls', at(client)],
    ...['--listen-peer-urls', at(peer), '--initial-advertise-peer-urls', at(peer)],
  ];
  const etcd = start('etcd', [...words, ...places], join(directory, 'etcd.log'));
  atEnd(async () => {
    etcd.kill('SIGKILL');
    await ended(etcd);
  });
  const members: PatroniMember[] = [];
  for (const name of ['a', 'b', 'c']) members.push(await member(directory, name, bin, client, atEnd));
  return {
    members,
    urls: members.map(({ port }) => `postgresql://keytrustee@127.0.0.1:${port}/keytrustee?sslmode=disable`),
    password: PASSWORD,
    async query({ port }, database, sql) {
      const where = ['-h', '127.0.0.1', '-p', `${port}`, '-U', 'postgres', '-d', database];
      const env = { PGPASSWORD: PASSWORD };
      const done = await asAccount(join(bin, 'psql'), ['-XAtq', ...where, '-c', sql], { env });
      if (done.status !== 0) throw new Error(done.stderr);
      return done.stdout.trim();
    },
    log: async () =>
      (
        await Promise.all(
          ['a', 'b', 'c'].map((name) => readFile(join(directory, `${name}.log`), 'utf8').catch(() => '')),
        )
      ).join('\n---\n'),
  };
}
