// Where the chaos happens: a server of its own that is gone afterwards, or one that somebody lends.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chooseAccount, removeAccount } from '../../scripts/quickstart/account.mjs';
import { installProgram } from '../../scripts/quickstart/program.mjs';
import { insist, run } from './shared.mjs';

const CLIENTS = 4;

const top = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** Limits that a load from one address would meet are taken away, and ports that others may have. */
export function configure(confdir) {
  const path = join(confdir, 'keytrustee.conf');
  const settings = JSON.parse(readFileSync(path, 'utf8'));
  const limits = { RATE_LIMIT_ADDRESS: 10_000_000, RATE_LIMIT_CLIENT: 10_000_000, METRICS_PORT: 0 };
  const mail = { MAIL_TRANSPORT: 'none' };
  writeFileSync(path, JSON.stringify({ ...settings, ...limits, ...mail }, null, 2));
  return settings;
}

async function makeServer(directory, account, ktadmin) {
  const home = join(directory, 's');
  mkdirSync(home, { mode: 0o700 });
  if (account.isOurs || process.getuid() === 0) chownSync(home, account.uid, account.gid);
  const where = ['--pg-rootdir', join(home, 'db'), '--database-port', String(await freePort())];
  const user = process.getuid() === 0 ? ['--user', account.name] : [];
  const made = await ktadmin(['init', '--external-address', 'localhost', ...where, ...user]);
  if (made.status !== 0) throw new Error(made.stderr);
}

/** PostgreSQL's first process. The number in its file may be that of somebody else's process by now. */
function postmasterOf(pgRootdir) {
  try {
    const pid = Number(readFileSync(join(pgRootdir, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(pgRootdir) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Lends a place to the work: how `ktadmin` is run, the library, and room for clients' directories. */
export async function withPlace({ confdir, bin }, work) {
  const directory = mkdtempSync(join(tmpdir(), 'kt-chaos-'));
  const isOwn = confdir === undefined;
  let account;
  try {
    chmodSync(directory, 0o755);
    account = isOwn ? await chooseAccount(join(directory, 'home')) : undefined;
    const program = join(bin ?? installProgram(directory), 'ktadmin');
    const place = {
      directory,
      port: await freePort(),
      clients: CLIENTS,
      confdir: confdir ?? join(directory, 's', '.keytrustee'),
    };
    place.env = { PATH: process.env.PATH, HOME: directory, KEYTRUSTEE_CONFDIR: place.confdir };
    if (process.env.KTADMIN_USER) place.env.KTADMIN_USER = process.env.KTADMIN_USER;
    place.words = (args) => [program, ...args];
    place.ktadmin = (args) => run(place.words(args), place.env);
    if (isOwn) await makeServer(directory, account, place.ktadmin);
    const settings = configure(place.confdir);
    place.postmaster = () => postmasterOf(settings.PG_ROOTDIR);
    place.servers = [`https://localhost:${place.port}`];
    place.certificates = () => readFileSync(settings.SSL_CERTIFICATE, 'utf8');
    place.library = await import(join(top, 'dist', 'client.js'));
    try {
      return await work(place);
    } catch (error) {
      console.error(error);
      throw error;
    } finally {
      if (isOwn) await insist('db stop', () => place.ktadmin(['db', 'stop']));
    }
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    if (account?.isOurs) await removeAccount(account.name);
  }
}
