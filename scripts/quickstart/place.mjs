// Where the quickstart happens: a directory of its own, ports of its own, an account, and the way to run programs there.
// All of it is taken away again, whatever happened.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chooseAccount, removeAccount } from './account.mjs';
import { endProcesses } from './processes.mjs';
import { installProgram } from './program.mjs';
import { startServing } from './serving.mjs';
import { commandLine, paint } from './text.mjs';

/** Variables that speak of somebody else's server or keys; nothing here may depend on them. */
const FOREIGN = /^(?:KEYTRUSTEE_|KTADMIN_|GNUPGHOME$|GPG_|PG(?!_BINDIR)|NODE_OPTIONS$)/;
const isRoot = process.getuid() === 0;

/**
 * Makes a place, lends it to the work and takes it away: processes, directory, account. With `keep` only the processes
 * end. Returns the place; an error of the work carries it as `place`.
 */
export async function withPlace(keep, work) {
  const watch = watchSignals();
  const place = await makePlace(watch);
  try {
    await work(place);
    return place;
  } catch (error) {
    throw Object.assign(error, { place });
  } finally {
    watch.isCleaning = true;
    await endProcesses(place);
    if (!keep) await removePlace(place);
  }
}

async function removePlace({ directory, account }) {
  try {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  } finally {
    if (account?.isOurs) await removeAccount(account.name);
  }
}

/** Unix sockets have at most 107 bytes, so a long TMPDIR is of no use. */
function temporaryDirectory() {
  return tmpdir().length <= 40 ? tmpdir() : '/tmp';
}

async function makePlace(watch) {
  // What is not made private on purpose is for the server's account too, whatever the caller's umask is.
  process.umask(0o022);
  const directory = mkdtempSync(join(temporaryDirectory(), 'kt-quickstart-'));
  let account;
  try {
    if (isRoot) chmodSync(directory, 0o755);
    account = await chooseAccount(join(directory, 'home'));
    const owned = (name) => {
      const path = join(directory, name);
      mkdirSync(path, { mode: 0o700 });
      if (isRoot) chownSync(path, account.uid, account.gid);
      return path;
    };
    const bin = installProgram(directory);
    mkdirSync(join(directory, 'admin'), { mode: 0o700 });
    const server = owned('server');
    const place = {
      directory,
      account,
      bin,
      confdir: join(server, '.keytrustee'),
      pgRootdir: join(server, 'db'),
      backups: owned('backups'),
      keyring: owned('keyring'),
      administrator: join(directory, 'admin'),
      publicKey: join(directory, 'key-administrator.asc'),
      ports: [String(await freePort()), String(await freePort())],
      user: isRoot ? ['--user', account.name] : [],
      say: (text) => console.log(text),
      checkSignal: watch.check,
    };
    place.show = (words, variables, suffix = '') =>
      place.say(paint('dim', `    $ ${commandLine(words, variables)}${suffix}`));
    place.run = (words, options) => run(place, watch, words, options);
    place.certificate = () => join(place.confdir, '.ssl', 'ssl-cert-keytrustee.pem');
    let stop;
    place.serve = async () => {
      stop = await startServing(place, environment(place, {}));
    };
    place.stopServing = () => stop();
    place.say(`A Key Trustee Server is made, lost and restored below ${directory}, as ${account.name}.`);
    place.say('Every command is shown as you would type it, after these two lines:');
    place.say(`    $ export PATH=${bin}:$PATH\n    $ export KEYTRUSTEE_CONFDIR=${place.confdir}`);
    return place;
  } catch (error) {
    await removePlace({ directory, account });
    throw error;
  }
}

/** A port that nothing listens on, out of a range from which systems give no ports to outgoing connections. */
async function freePort() {
  for (;;) {
    const port = randomInt(20_000, 30_000);
    const isFree = await new Promise((resolve) => {
      const probe = createServer().once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

/** Passes the first signal on to the program that runs, and remembers it for the work to end. */
function watchSignals() {
  const watch = {
    child: undefined,
    isCleaning: false,
    signal: undefined,
    check() {
      if (watch.signal === undefined) return;
      const exitStatus = 128 + constants.signals[watch.signal];
      throw Object.assign(new Error(watch.signal), { signal: watch.signal, exitStatus });
    },
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (watch.signal !== undefined || watch.isCleaning) return;
      watch.signal = signal;
      watch.child?.kill('SIGTERM');
    });
  }
  return watch;
}

/** The environment of every program: the caller's, but for what speaks of another server, with a home of its own. */
function environment(place, variables) {
  const own = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
  return {
    ...Object.fromEntries(own),
    PATH: [place.bin, process.env.PATH].join(delimiter),
    HOME: place.directory,
    KEYTRUSTEE_CONFDIR: place.confdir,
    ...variables,
  };
}

/**
 * Shows a command and runs it; returns its standard output. It has a process group of its own, so that Ctrl-C on a
 * terminal reaches it once, through us. With `asAccount` root runs it as the service account.
 */
async function run(place, watch, words, { variables = {}, asAccount = false, input = '' } = {}) {
  if (!watch.isCleaning) {
    watch.check();
    place.show(words, variables, asAccount && isRoot ? `    (as ${place.account.name})` : '');
  }
  const [name, ...args] = words;
  const isOurs = existsSync(join(place.bin, name));
  const identity = asAccount && isRoot ? { uid: place.account.uid, gid: place.account.gid } : {};
  const child = spawn(isOurs ? process.execPath : name, isOurs ? [join(place.bin, name), ...args] : args, {
    cwd: '/',
    env: environment(place, variables),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    ...identity,
  });
  // A program that ends without having read it says why by itself.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  watch.child = child;
  try {
    return await outputOf(child, name);
  } catch (error) {
    if (!watch.isCleaning) watch.check();
    throw error;
  } finally {
    watch.child = undefined;
  }
}

/** Waits for a program's end; a status other than 0 is an error that shows all that the program said. */
async function outputOf(child, name) {
  const said = { stdout: [], stderr: [] };
  child.stdout.on('data', (chunk) => said.stdout.push(chunk));
  child.stderr.on('data', (chunk) => said.stderr.push(chunk));
  const [status, signal] = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (...how) => resolve(how));
    // A daemon that holds the program's pipes open would keep us waiting for ever.
    child.once('exit', (...how) => setTimeout(resolve, 2000, how).unref());
  });
  child.stdout.destroy();
  child.stderr.destroy();
  const stdout = Buffer.concat(said.stdout);
  if (status === 0) return stdout;
  const words = `${stdout}${Buffer.concat(said.stderr)}`.trim();
  throw new Error(`${name} ended with ${signal ?? `status ${status}`}${words === '' ? '' : `\n${words}`}`);
}
