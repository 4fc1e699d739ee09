/** What the original product leaves: a home of GnuPG 1.4, a dump of tables that are not ours, a backup set without a manifest. */
import { spawnSync } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { realBindir } from './faults.ts';
import { asAccount, isRoot, run, type TestServer, testServer, world } from './sandbox.ts';

/** Whether there is a GnuPG that makes keyrings of the old form. */
export const hasGpg1 = spawnSync('gpg1', ['--version']).status === 0;

/** Whether Info-ZIP is here. */
export const hasZip = ['zip', 'unzip'].every((name) => spawnSync(name, ['-h']).status === 0);

const KEY = `Key-Type: RSA
Key-Length: 2048
Key-Usage: sign
Name-Real: keytrustee
Name-Email: keytrustee@kts07.example.com
Expire-Date: 0
%commit
`;

async function checked(file: string, args: string[], input = ''): Promise<string> {
  const done = await run(file, args, { input });
  if (done.status !== 0) throw new Error(`${file} ${args.join(' ')}: ${done.stderr}`);
  return done.stdout;
}

/** A configuration directory of the original product, made by GnuPG 1.4; `directory` must not exist. */
export interface OriginalConfdir {
  path: string;
  fingerprint: string;
  /** Fingerprints of all public keys: the server's and John Doe's, who is a contact. */
  keys: string[];
}

/** Makes one as the original does; a TLS pair is in it unless `ssl` is false. */
export async function originalConfdir(path: string, { ssl = true } = {}): Promise<OriginalConfdir> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const gpg1 = ['--homedir', path, '--batch', '--no-tty'];
  await checked('gpg1', [...gpg1, '--quick-random', '--gen-key'], KEY);
  await checked('gpg1', [...gpg1, '--import', join(world.directory, 'john.asc')]);
  const listed = await checked('gpg1', [...gpg1, '--with-colons', '--fingerprint', '--list-keys']);
  const keys = [...listed.matchAll(/^fpr:.*:([0-9A-F]{40}):$/gm)].map((match) => match[1] ?? '');
  const secret = await checked('gpg1', [...gpg1, '--with-colons', '--fingerprint', '--list-secret-keys']);
  const fingerprint = `2048R/${/^fpr:.*:([0-9A-F]{40}):$/m.exec(secret)?.[1]}`;
  await writeFile(join(path, 'gpg.conf'), 'keyserver hkp://keys.example.com\n', { mode: 0o600 });
  await writeFile(join(path, 'logging.conf'), '[loggers]\nkeys=root\n', { mode: 0o644 });
  await mkdir(join(path, '.ssl'), { mode: 0o700 });
  const place = '/var/lib/keytrustee/.keytrustee/.ssl';
  const conf = {
    LOCAL_FINGERPRINT: fingerprint,
    SSL_CERTIFICATE: `${place}/ssl-cert-keytrustee.pem`,
    SSL_PRIVATE_KEY: `${place}/ssl-cert-keytrustee-pk.pem`,
    MAIL_FROM: 'keytrustee@kts07.example.com',
    SOMETHING_ELSE: { deep: [1, 2] },
  };
  await writeFile(join(path, 'keytrustee.conf'), JSON.stringify(conf), { mode: 0o600 });
  if (ssl) {
    const files = ['certificate', 'key'].map((_, index) =>
      join(path, '.ssl', ['ssl-cert-keytrustee.pem', 'ssl-cert-keytrustee-pk.pem'][index] ?? ''),
    );
    const subject = '/C=US/ST=TX/L=Austin/CN=kts07.example.com/emailAddress=keytrustee@kts07.example.com';
    await checked('openssl', [
      ...['req', '-nodes', '-new', '-days', '3650', '-subj', subject, '-x509'],
      ...['-out', files[0] ?? '', '-keyout', files[1] ?? ''],
    ]);
  }
  return { path, fingerprint, keys };
}

/** Tables of a key server that somebody else wrote, as an object mapper makes them. */
const FOREIGN = `
create table org (id serial primary key, name varchar(64) unique, secret varchar(64), made timestamp);
create table vault_item (id serial primary key, org_id integer references org (id), blob bytea, label varchar(255));
create index ix_vault_item_label on vault_item (label);
insert into org (name, secret, made) values ('prod', 'c2VjcmV0', '2016-02-10 11:14:37'), (E'tab\\tand \\\\ slash', '', null);
insert into vault_item (org_id, blob, label) select 1, decode(md5(g::text), 'hex'), 'item ' || g from generate_series(1, 50) g;
`;

/** A plain dump of such tables by real pg_dump; \`args\` such as \`-c\`. */
export async function foreignDump(args: string[] = []): Promise<string> {
  const key = args.join(' ');
  const made = dumps.get(key) ?? (await makeForeignDump(args));
  dumps.set(key, made);
  return made;
}

const dumps = new Map<string, string>();

async function makeForeignDump(args: string[]): Promise<string> {
  const server = await testServer();
  await server.query('create database elsewhere');
  const psql = ['db', 'psql', '--', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'elsewhere', '-c'];
  const done = await server.ktadmin([...psql, FOREIGN]);
  if (done.status !== 0) throw new Error(done.stderr);
  return plainDump(server, 'elsewhere', args);
}

/** A plain dump of one of a server's databases, as the manual has it. */
export async function plainDump(server: TestServer, database: string, args: string[] = []): Promise<string> {
  const pgDump = join(await realBindir(), 'pg_dump');
  const where = ['-h', join(server.pgRootdir, 'run'), '-p', String(server.port), '-U', 'keytrustee'];
  const done = await asAccount(pgDump, [...where, ...args, database]);
  if (done.status !== 0) throw new Error(done.stderr);
  return done.stdout;
}

/** Where the original has its configuration, without the leading slash. */
export const ORIGINAL_PLACE = 'var/lib/keytrustee';

/** A backup set as the original makes them, below a directory; returns its path. */
export async function originalSet(
  directory: string,
  { dump, confdir, tarArgs = [] }: { dump: string; confdir?: OriginalConfdir; tarArgs?: string[] },
): Promise<{ set: string; confdir: OriginalConfdir; root: string }> {
  const root = join(directory, 'root');
  const stem = 'kts_bak_kts07_example_com_2016-02-10_11-14-37';
  const place = join(root, ORIGINAL_PLACE);
  await mkdir(place, { recursive: true });
  const made = confdir ?? (await originalConfdir(join(place, '.keytrustee')));
  if (confdir !== undefined) await cp(confdir.path, join(place, '.keytrustee'), { recursive: true });
  await writeFile(join(place, `${stem}.sql`), dump);
  const set = join(directory, `${stem}.tar`);
  const owner = ['--owner=keytrustee:4711', '--group=keytrustee:4711'];
  const members = [`${ORIGINAL_PLACE}/.keytrustee`, `${ORIGINAL_PLACE}/${stem}.sql`];
  await checked('tar', ['-cf', set, ...owner, ...tarArgs, '-C', root, ...members]);
  await readable(set);
  return { set, confdir: made, root };
}

/** A file that the service account may read too. */
export async function readable(path: string): Promise<string> {
  if (isRoot) await run('chown', [`${world.account.uid}:${world.account.gid}`, path]);
  return path;
}

/** What is in a keytrustee.conf. */
export async function configurationOf(confdir: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(confdir, 'keytrustee.conf'), 'utf8')) as Record<string, unknown>;
}
