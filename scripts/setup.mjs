// Makes a checkout ready to run or to test: Node's version, system packages, node_modules, dist. Every step first looks
// whether there is anything to do, so that a second run costs next to nothing and works in a checkout that cannot be
// written to. Plain Node: this runs before anything is installed.
//
//   node scripts/setup.mjs [runtime|test]     everything it says goes to stderr
//   exit status 0 ready, 1 failed, 2 usage, 3 system packages are missing and could not be installed
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ensureSystemPackages } from './system-packages.mjs';

const top = dirname(dirname(fileURLToPath(import.meta.url)));
const profiles = ['runtime', 'test'];
const lockPatience = 15 * 60 * 1000;

const say = (message) => process.stderr.write(message.replace(/^/gm, 'setup: ').concat('\n'));

/** Does every step that is needed for the profile, `runtime` or `test`. Throws an error whose `exitStatus` says which. */
export async function setup(profile = 'runtime') {
  checkNodeVersion();
  ensureSystemPackages(profile, say);
  const steps = [dependencies, distribution];
  if (steps.every((step) => step.isDone())) return;
  await withLock(() => {
    for (const step of steps.filter((step) => !step.isDone())) {
      mustBeWritable(step);
      step.run();
    }
  });
}

/** Fails with a clear message when this Node is not one that package.json names; `engines` is the one place it is said. */
export function checkNodeVersion(version = process.versions.node) {
  const { engines } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
  if (engines.node.split('||').some((range) => admits(range.trim(), version))) return;
  throw new Error(`Node ${version} is not supported; install one of: ${engines.node}`);
}

/** Understands the two forms that package.json uses: `^20.19.0` (that major) and `>=24` (from there on). */
function admits(range, version) {
  const [operator, ...floor] = /^(\^|>=)(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(range).slice(1);
  const wanted = floor.map((part) => Number(part ?? 0));
  const actual = version.split('.').map((part) => Number.parseInt(part, 10));
  if (operator === '^' && actual[0] !== wanted[0]) return false;
  const differs = wanted.findIndex((part, index) => part !== actual[index]);
  return differs === -1 || actual[differs] > wanted[differs];
}

// Install scripts stay off: the only package that has one is esbuild, and it works without (its binary is an optional
// dependency). So nothing is compiled for one Node version, and what is installed serves all of them.
const dependencies = {
  what: 'node_modules/',
  stamp: join(top, 'node_modules', '.setup-stamp'),
  isDone() {
    return readIfThere(this.stamp) === this.wanted();
  },
  wanted() {
    return digest(['package-lock.json'], `${process.platform}-${process.arch}`);
  },
  run() {
    const wanted = this.wanted();
    const args = ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
    say('installing npm packages (npm ci)');
    run('npm', args, { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) });
    writeFileSync(this.stamp, wanted);
  },
};

const distribution = {
  what: 'dist/',
  stamp: join(top, 'dist', '.setup-stamp'),
  isDone() {
    return readIfThere(this.stamp) === this.wanted();
  },
  wanted() {
    const sources = ['src', 'man'].flatMap((directory) =>
      readdirSync(join(top, directory), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(top.length + 1)),
    );
    const scripts = ['build', 'man', 'no-compiler'].map((name) => `scripts/${name}.mjs`);
    return digest([...sources.sort(), ...scripts, 'package.json', 'package-lock.json']);
  },
  run() {
    const wanted = this.wanted();
    say('building dist/');
    run(process.execPath, ['scripts/build.mjs']);
    writeFileSync(this.stamp, wanted);
  },
};

/** One digest over names and contents, so that a copied, renamed or removed file counts as much as an edited one. */
function digest(files, salt = '') {
  const hash = createHash('sha256').update(salt);
  for (const file of files) {
    const content = readFileSync(join(top, file));
    hash.update(`\0${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

function readIfThere(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function run(program, args, env = process.env) {
  const { status, signal, error } = spawnSync(program, args, { cwd: top, env, stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  const why =
    error?.code === 'ENOENT' ? 'not found on PATH' : (error?.message ?? signal ?? `status ${status}`);
  throw new Error(`${[program, ...args].join(' ')}: ${why}`);
}

function mustBeWritable(step) {
  try {
    accessSync(top, constants.W_OK);
  } catch {
    throw new Error(`${step.what} is missing or out of date, and this user may not write to ${top}`);
  }
}

/**
 * Runs the work while no other setup of this checkout runs. The lock is a name in Linux's abstract socket namespace:
 * the kernel gives it back when the process ends, however it ends, so there is no stale lock to recognise.
 */
async function withLock(work) {
  const name = `\0ktadmin-setup-${createHash('sha256').update(realpathSync(top)).digest('hex').slice(0, 32)}`;
  const deadline = Date.now() + lockPatience;
  let server = await tryToListen(name);
  if (!server) say('waiting for another setup of this checkout');
  while (!server) {
    if (Date.now() > deadline) throw new Error('another setup of this checkout does not come to an end');
    await sleep(200);
    server = await tryToListen(name);
  }
  try {
    return work();
  } finally {
    server.close();
  }
}

function tryToListen(name) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(name, () => resolve(server));
  });
}

/** Runs setup for a script: an error becomes one message on stderr and an exit status; true means ready. */
export async function setupOrExplain(profile) {
  try {
    await setup(profile);
    return true;
  } catch (error) {
    say(error.message);
    process.exitCode = error.exitStatus ?? 1;
    return false;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [profile = 'runtime', ...rest] = process.argv.slice(2);
  if (profiles.includes(profile) && rest.length === 0) {
    await setupOrExplain(profile);
  } else {
    say(`usage: node scripts/setup.mjs [${profiles.join('|')}]`);
    process.exitCode = 2;
  }
}
