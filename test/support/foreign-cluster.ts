/** A database cluster that others run, for tests: PostgreSQL with a copy that follows it, over TLS, and a role that owns little. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findPostgres } from '../../src/lib/database/binaries.ts';
import { authority } from './authority.ts';
import { give } from './faults.ts';
import { asAccount, freePort, ownedDirectory, temporaryDirectory, until } from './sandbox.ts';

type AtEnd = (cleanUp: () => Promise<void>) => void;

/** One PostgreSQL server of a cluster. */
export interface Member {
  port: number;
  data: string;
  start(): Promise<void>;
  /** Ends it at once; without a signal as `pg_ctl` does, and else all of it by that signal. */
  stop(signal?: 'SIGKILL'): Promise<void>;
  /** Has it take writes. */
  promote(): Promise<void>;
  /** One query by the superuser, over the socket. */
  query(sql: string): Promise<string>;
}

/** Two members, of which the first takes writes; the second follows it, and every commit waits until it has applied it. */
export interface ForeignCluster {
  members: [Member, Member];
  /** Of both members, the one that follows first; without a password. */
  urls: string[];
  password: string;
  ca: string;
}

async function done(program: string, ...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await asAccount(program, words);
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stdout}${stderr}`);
  return stdout.trim();
}

function memberAt(directory: string, name: string, port: number, bin: string): Member {
  const data = join(directory, name);
  const control = (...words: string[]) => done(join(bin, 'pg_ctl'), '-D', data, '-w', ...words);
  const isReady = async () => {
    const words = ['-h', directory, '-p', `${port}`, '-q'];
    return (await asAccount(join(bin, 'pg_isready'), words)).status === 0;
  };
  return {
    port,
    data,
    start: async () => void (await control('-l', `${data}.log`, 'start')),
    async stop(signal) {
      if (signal === undefined) return void (await control('-m', 'immediate', 'stop').catch(() => undefined));
      const pid = Number.parseInt(await readFile(join(data, 'postmaster.pid'), 'utf8'), 10);
      process.kill(pid, signal);
      await until(async () => !(await isReady()), 'the server is gone');
    },
    promote: async () => void (await control('promote')),
    query: (sql) =>
      done(
        join(bin, 'psql'),
        '-XAtq',
        '-h',
        directory,
        '-p',
        `${port}`,
        '-U',
        'postgres',
        '-d',
        'keytrustee',
        '-c',
        sql,
      ),
  };
}

const RULES = `local all all trust
hostssl all keytrustee 127.0.0.1/32 scram-sha-256
`;

/** Makes the cluster; its role owns the database, and nothing else. */
export async function foreignCluster(atEnd: AtEnd): Promise<ForeignCluster> {
  const directory = await temporaryDirectory(atEnd);
  const bin = (await findPostgres()).directory;
  const own = await ownedDirectory(directory, 'pg');
  const { at, openssl } = await authority(directory, 'localhost');
  const subject = [
    '-subj',
    '/CN=db',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-addext',
    'basicConstraints=CA:FALSE',
  ];
  await openssl(
    ...[
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-x509',
      '-days',
      '30',
      ...subject,
    ],
    ...['-config', at('openssl.cnf'), '-CA', at('ca.pem'), '-CAkey', at('ca.key')],
    ...['-keyout', join(own, 'db.key'), '-out', join(own, 'db.pem')],
  );
  for (const path of ['db.key', 'db.pem']) await give(join(own, path));
  await chmod(join(own, 'db.key'), 0o600);
  await chmod(at('ca.pem'), 0o644);
  const ports = [await freePort(), await freePort()] as const;
  const [first, second] = [memberAt(own, 'a', ports[0], bin), memberAt(own, 'b', ports[1], bin)];
  atEnd(async () => {
    for (const member of [second, first]) await member.stop();
  });
  await done(
    join(bin, 'initdb'),
    '-D',
    first.data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C.UTF-8',
    '-N',
  );
  const settings = (port: number) =>
    `port = ${port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '${own}'\nfsync = off\nssl = on
ssl_cert_file = '${own}/db.pem'\nssl_key_file = '${own}/db.key'\nmax_connections = 60\nwal_receiver_timeout = 3s\n`;
  await writeFile(
    join(first.data, 'pg_hba.conf'),
    RULES.replace('local all all', 'local all,replication all'),
  );
  await writeFile(join(first.data, 'postgresql.auto.conf'), settings(first.port));
  await first.start();
  const superuser = (database: string, sql: string) =>
    done(
      join(bin, 'psql'),
      '-XAtq',
      '-h',
      own,
      '-p',
      `${first.port}`,
      '-U',
      'postgres',
      '-d',
      database,
      '-c',
      sql,
    );
  await superuser('postgres', "create role keytrustee login password 'p@ss/wörd'");
  await superuser('postgres', 'create database keytrustee owner keytrustee');
  await done(
    join(bin, 'pg_basebackup'),
    '-h',
    own,
    '-p',
    `${first.port}`,
    '-U',
    'postgres',
    '-D',
    second.data,
    '-R',
    '-c',
    'fast',
    '-N',
  );
  const copied = await readFile(join(second.data, 'postgresql.auto.conf'), 'utf8');
  await writeFile(join(second.data, 'postgresql.auto.conf'), copied + settings(second.port));
  await second.start();
  await superuser('postgres', "alter system set synchronous_standby_names = '*'");
  await superuser('postgres', "alter system set synchronous_commit = 'remote_apply'");
  await superuser('postgres', 'select pg_reload_conf()');
  const tls = `?sslmode=verify-full&sslrootcert=${at('ca.pem')}`;
  return {
    members: [first, second],
    urls: [second, first].map(({ port }) => `postgresql://keytrustee@127.0.0.1:${port}/keytrustee${tls}`),
    password: 'p@ss/wörd',
    ca: at('ca.pem'),
  };
}
