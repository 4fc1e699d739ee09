// Where the faults of a pair happen: two hosts that serve, and the machine of the clients, which is this one.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseAccount, removeAccount } from '../../scripts/quickstart/account.mjs';
import { installProgram } from '../../scripts/quickstart/program.mjs';
import { configure } from '../chaos/place.mjs';
import { openServer } from '../chaos/server.mjs';
import { insist, run } from '../chaos/shared.mjs';
import { PATH } from './network.mjs';
import { makePair } from './pair.mjs';
import { makeReady } from './ready.mjs';

const CONFDIR = '/var/lib/keytrustee/.keytrustee';
const POSTMASTER = '/var/lib/keytrustee/db/data/postmaster.pid';
/** What a call of the library is given. A put is to say soon that it was refused; a read is to find the server that is well. */
const LIMITS = { put: 4000, get: 60_000, soon: 2000 };
const DISK = '4g';

function postmasterOf(host) {
  try {
    return host.outerPid(Number(readFileSync(host.path(POSTMASTER), 'utf8').split('\n')[0]));
  } catch {
    return undefined;
  }
}

/** A host as the chaos run knows a place. */
function placeOn(host, program, env) {
  const words = (args) => host.words(program, args);
  const place = { ...host, env, words, port: 11371, postmaster: () => postmasterOf(host) };
  place.ktadmin = (args) => run(words(args), env);
  place.query = (sql) =>
    insist(`psql on ${host.name}`, () => place.ktadmin(['db', 'psql', '--', '-X', '-A', '-t', '-c', sql]));
  return place;
}

function certificateOf(host) {
  const { SSL_CERTIFICATE } = JSON.parse(readFileSync(host.path(`${CONFDIR}/keytrustee.conf`), 'utf8'));
  return readFileSync(host.path(SSL_CERTIFICATE), 'utf8');
}

/** Sets both hosts up, and has each of them served from then on. */
async function makePlace(directory, pair, hosts, serve) {
  await makeReady(hosts, { configure: async (host) => void configure(host.path(CONFDIR)), serve });
  return {
    directory,
    pair,
    hosts,
    limits: LIMITS,
    servers: hosts.map(({ name }) => `https://${name}:11371`),
    certificates: () => hosts.map(certificateOf).join(''),
    ktadmin: hosts[0].ktadmin,
    library: await import('../../dist/client.js'),
  };
}

async function onHosts({ directory, account, clients, say }, work) {
  const program = join(installProgram(directory), 'ktadmin');
  const env = { PATH, HOME: join(directory, 'home'), KTADMIN_USER: account.name };
  mkdirSync(env.HOME);
  const pair = await makePair({
    directory: join(directory, 'hosts'),
    shared: directory,
    account,
    disk: DISK,
  });
  const hosts = pair.hosts.map((host) => placeOn(host, program, env));
  const servers = new Map();
  try {
    const place = await makePlace(directory, pair, hosts, async (host) => {
      servers.set(host, await openServer(host, say));
    });
    return await work(
      { ...place, clients },
      hosts.map((host) => servers.get(host)),
    );
  } catch (error) {
    say(error.stack);
    throw error;
  } finally {
    await Promise.all([...servers.values()].map((server) => server.stop()));
    await pair.end();
  }
}

/** Lends a pair and its two servers to the work, and takes all of it away. */
export async function withPair({ clients, say }, work) {
  // All hosts have to see it in their own /tmp.
  const parent = tmpdir().startsWith('/tmp/') ? tmpdir() : '/tmp';
  const directory = mkdtempSync(join(parent, 'kt-ha-'));
  chmodSync(directory, 0o755);
  const account = await chooseAccount(join(directory, 'home'));
  try {
    return await onHosts({ directory, account, clients, say }, work);
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    if (account.isOurs) await removeAccount(account.name);
  }
}
