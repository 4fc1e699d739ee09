// The programs that are not npm packages: says which are missing and, as root, installs them with the system's own
// package manager. Programs are found by looking, never by asking the package manager: that is fast, and it also
// accepts a PostgreSQL that somebody built or unpacked by hand. Plain Node: this runs before anything is installed.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

const postgresqlPrograms = ['initdb', 'postgres', 'pg_ctl', 'psql', 'pg_dump'];

/**
 * What each profile needs, and the packages that bring it. `test` needs all that `runtime` needs. Without an `optional`
 * program only a few tests cannot run, and they say so themselves.
 */
const needs = [
  {
    name: 'PostgreSQL server',
    there: () => findPostgresql() !== undefined,
    packages: {
      'apt-get': ['postgresql'],
      dnf: ['postgresql-server'],
      apk: ['postgresql', 'postgresql-client'],
    },
  },
  {
    name: 'GnuPG',
    there: () => ['gpg', 'gpgconf', 'gpg-agent'].every(onPath),
    packages: { 'apt-get': ['gpg', 'gpgconf', 'gpg-agent'], dnf: ['gnupg2'], apk: ['gnupg'] },
  },
  {
    name: 'setpriv',
    there: () => onPath('setpriv'),
    packages: { 'apt-get': ['util-linux'], dnf: ['util-linux'], apk: ['util-linux-misc'] },
  },
  testNeed('unshare', ['unshare'], 'util-linux', { apk: ['util-linux-misc'] }),
  testNeed('rsync', ['rsync'], 'rsync'),
  // The two hosts of `npm run test:ha`.
  { ...testNeed('ip', ['ip'], 'iproute2', { dnf: ['iproute'] }), optional: true },
  { ...testNeed('nft', ['nft'], 'nftables'), optional: true },
  testNeed('script', ['script'], 'bsdutils', { dnf: ['util-linux'], apk: ['util-linux-misc'] }),
  testNeed('openssl', ['openssl'], 'openssl'),
  testNeed('tar', ['tar'], 'tar'),
  {
    ...testNeed('Chromium', [], 'chromium'),
    there: () => onPath('chromium') || onPath('chromium-browser'),
  },
  { ...testNeed('mandoc', ['mandoc'], 'mandoc'), optional: true },
  { ...testNeed('tmux', ['tmux'], 'tmux'), optional: true },
  { ...testNeed('sslscan', ['sslscan'], 'sslscan'), optional: true },
  { ...testNeed('strace', ['strace'], 'strace'), optional: true },
  {
    ...testNeed('faketime', ['faketime'], 'faketime', { dnf: ['libfaketime'], apk: ['libfaketime'] }),
    optional: true,
  },
  {
    ...testNeed('Patroni and etcd', ['patroni', 'etcd'], 'patroni', {
      'apt-get': ['patroni', 'etcd-server'],
      dnf: [],
      apk: [],
    }),
    optional: true,
  },
  // GnuPG 1.4 makes the keyrings of the original product; RHEL and Alpine have none beside GnuPG 2.
  { ...testNeed('GnuPG 1.4', ['gpg1'], 'gnupg1', { dnf: [], apk: [] }), optional: true },
  {
    ...testNeed('zip and unzip', ['zip', 'unzip'], 'zip', {
      'apt-get': ['zip', 'unzip'],
      dnf: ['zip', 'unzip'],
      apk: ['zip', 'unzip'],
    }),
    optional: true,
  },
  {
    ...testNeed('cron', [], 'cron', { dnf: ['cronie'], apk: ['cronie'] }),
    there: () => onPath('cron') || onPath('crond'),
    optional: true,
  },
];

/** One line of the table above for programs that only tests use; `debian` names the package wherever no other does. */
function testNeed(name, programs, debian, others = {}) {
  const packages = { 'apt-get': [debian], dnf: [debian], apk: [debian], ...others };
  return { name, profile: 'test', there: () => programs.every(onPath), packages };
}

const managers = {
  'apt-get': {
    before: [['apt-get', 'update']],
    install: ['apt-get', 'install', '-y', '--no-install-recommends'],
    // Wait for another apt, and never stop at a question about a configuration file.
    quietly: [
      '-qq',
      '-o',
      'DPkg::Lock::Timeout=300',
      '-o',
      'Dpkg::Use-Pty=0',
      '-o',
      'Dpkg::Options::=--force-confold',
    ],
    environment: { DEBIAN_FRONTEND: 'noninteractive', UCF_FORCE_CONFFOLD: '1' },
  },
  dnf: { before: [], install: ['dnf', 'install', '-y'], quietly: ['--setopt=strict=0'], environment: {} },
  apk: { before: [], install: ['apk', 'add'], quietly: [], environment: {} },
};

/**
 * Sees to it that everything the profile (`runtime` or `test`) needs is there. What is optional and still missing is
 * only said; when something else is missing it throws, with `exitStatus` 3.
 */
export function ensureSystemPackages(profile, say) {
  let missing = missingFor(profile);
  if (missing.length === 0) return;
  if (process.env.PG_BINDIR && !findPostgresql()) {
    fail(
      `PG_BINDIR is ${process.env.PG_BINDIR}, which lacks ${postgresqlPrograms.join(', ')}: correct it or unset it`,
    );
  }
  const manager = Object.keys(managers).find(onPath);
  if (process.getuid() === 0 && manager) {
    install(manager, missing, say);
    missing = missingFor(profile);
  }
  const needed = missing.filter((need) => !need.optional);
  if (needed.length > 0) fail(`missing: ${names(needed)}\n${advice(manager, missing)}`);
  if (missing.length > 0) {
    say(`missing: ${names(missing)}; the few tests that need them will be skipped`);
    say(advice(manager, missing));
  }
}

function fail(message) {
  throw Object.assign(new Error(message), { exitStatus: 3 });
}

/**
 * The directory that holds all the PostgreSQL programs: `PG_BINDIR` alone where it is set, as in the program itself, else
 * the newest of the usual directories; undefined when none has them all.
 */
export function findPostgresql() {
  for (const directory of postgresqlDirectories()) {
    if (postgresqlPrograms.every((program) => isExecutable(join(directory, program)))) return directory;
  }
  return undefined;
}

function* postgresqlDirectories() {
  if (process.env.PG_BINDIR) return yield* process.env.PG_BINDIR.split(delimiter);
  yield* versioned('/usr/lib/postgresql', /^\d+$/, 'bin');
  yield* versioned('/usr', /^pgsql-\d+$/, 'bin');
  yield* versioned('/usr/libexec', /^postgresql\d*$/, '');
  yield* versioned('/usr/lib', /^postgresql\d+$/, 'bin');
  yield* versioned('/opt/postgres', /^\d/, 'bin');
  yield '/usr/local/pgsql/bin';
  yield* searchPath();
  const asked = spawnSync('pg_config', ['--bindir'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (asked.status === 0) yield asked.stdout.trim();
}

/** Directories such as /usr/lib/postgresql/15/bin, newest version first. */
function versioned(parent, pattern, inside) {
  const found = existsSync(parent) ? readdirSync(parent).filter((name) => pattern.test(name)) : [];
  const number = (name) => Number(/\d*$/.exec(name)[0]);
  return found.sort((a, b) => number(b) - number(a)).map((name) => join(parent, name, inside));
}

/** PATH, and the directories of system programs, which an ordinary user's PATH may lack. */
function searchPath() {
  const listed = (process.env.PATH ?? '').split(delimiter).filter((directory) => directory !== '');
  return [...new Set([...listed, '/usr/local/sbin', '/usr/sbin', '/sbin'])];
}

function onPath(program) {
  return searchPath().some((directory) => isExecutable(join(directory, program)));
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function missingFor(profile) {
  return needs.filter((need) => (need.profile !== 'test' || profile === 'test') && !need.there());
}

function install(manager, missing, say) {
  const { before, install, quietly, environment } = managers[manager];
  if (manager === 'apt-get' && packagesOf(manager, missing).includes('postgresql')) keepMainClusterAway(say);
  if (manager === 'apt-get' && packagesOf(manager, missing).includes('etcd-server')) keepEtcdAway(say);
  say(`installing ${packagesOf(manager, missing).join(' ')} (${manager})`);
  const commands = [...before, [...install, ...packagesOf(manager, missing)]];
  for (const [program, ...args] of commands) {
    const { status, error } = spawnSync(program, [...quietly, ...args], {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, ...environment },
    });
    if (status !== 0) say(`${program} ${args[0]} failed (${error?.message ?? `status ${status}`})`);
  }
}

/** Debian makes and starts a cluster of its own on port 5432 when PostgreSQL is installed; nothing here wants that one. */
function keepMainClusterAway(say) {
  const file = '/etc/postgresql-common/createcluster.conf';
  if (existsSync(file)) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'create_main_cluster = false\n');
  say(`wrote create_main_cluster = false to ${file}, so that Debian starts no server of its own`);
}

/** Debian starts an etcd of its own when it is installed; the tests start theirs. */
function keepEtcdAway(say) {
  const unit = '/etc/systemd/system/etcd.service';
  if (existsSync(unit) || existsSync('/lib/systemd/system/etcd.service') || !existsSync(dirname(unit)))
    return;
  symlinkSync('/dev/null', unit);
  say(`masked etcd.service (${unit}), so that Debian starts no server of its own`);
}

function advice(manager, missing) {
  if (!manager) return 'no apt-get, dnf or apk here: install them by hand';
  const { before, install } = managers[manager];
  const line = [...before, [...install, ...packagesOf(manager, missing)]]
    .map((words) => words.join(' '))
    .join(' && ');
  return `to install them, as root: ${line}`;
}

function packagesOf(manager, missing) {
  return [...new Set(missing.flatMap((need) => need.packages[manager]))];
}

function names(missing) {
  return missing.map((need) => need.name).join(', ');
}
