import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { environment, searchPath } from '../core/config.ts';
import { failure } from '../core/errors.ts';
import { checkInterruption } from '../core/interrupt.ts';
import { run } from '../core/process.ts';

/** PostgreSQL's programs, all of one directory and so of one version. */
export interface PostgresBinaries {
  directory: string;
  major: number;
  /** As the server says it, for people: `15.18 (Debian 15.18-0+deb12u1)`. */
  version: string;
}

/** The oldest version that knows every setting we write (`log_parameter_max_length` came with 13). */
const OLDEST = 13;

const NEEDED = ['postgres', 'initdb', 'pg_ctl', 'psql', 'pg_dump'];

/** Where distributions put the programs of a PostgreSQL server: Debian, RHEL's own and PGDG's packages, Alpine, SUSE, built by hand. */
const VERSIONED_PLACES: [string, (name: string) => string | undefined][] = [
  ['/usr/lib/postgresql', (name) => join('/usr/lib/postgresql', name, 'bin')],
  ['/usr', (name) => (/^pgsql-\d+$/.test(name) ? join('/usr', name, 'bin') : undefined)],
  ['/usr/libexec', (name) => (/^postgresql\d+$/.test(name) ? join('/usr/libexec', name) : undefined)],
  ['/usr/lib', (name) => (/^postgresql\d+$/.test(name) ? join('/usr/lib', name, 'bin') : undefined)],
  ['/opt/postgres', (name) => join('/opt/postgres', name, 'bin')],
];

async function versionedDirectories(): Promise<string[]> {
  const found: string[] = [];
  for (const [parent, toDirectory] of VERSIONED_PLACES) {
    const names = await readdir(parent).catch(() => [] as string[]);
    found.push(...names.map(toDirectory).filter((directory) => directory !== undefined));
  }
  const number = (directory: string) => Number(/(\d+(?:\.\d+)?)(?:\/bin)?$/.exec(directory)?.[1] ?? 0);
  return found.toSorted((a, b) => number(b) - number(a));
}

async function configuredDirectory(): Promise<string[]> {
  try {
    return [(await run('pg_config', ['--bindir'], { timeout: 5000 })).stdout.trim()].filter(
      (line) => line !== '',
    );
  } catch {
    return [];
  }
}

async function isComplete(directory: string): Promise<boolean> {
  try {
    await Promise.all(NEEDED.map((name) => access(join(directory, name), constants.X_OK)));
    return true;
  } catch {
    return false;
  }
}

/** What servers said of themselves: one command needs PostgreSQL's programs several times. */
const versions = new Map<string, string>();

/** The version that a server's program says it is; asked again as soon as it is another file, as after an upgrade. */
async function askVersion(program: string): Promise<string | undefined> {
  const found = await stat(program).catch(() => undefined);
  const file = [program, found?.dev, found?.ino, found?.ctimeMs].join(' ');
  // A program for another machine, or one whose libraries are missing, is as good as none.
  const answer = versions.has(file)
    ? undefined
    : await run(program, ['--version'], { timeout: 5000 }).catch(() => undefined);
  checkInterruption();
  const version = versions.get(file) ?? /PostgreSQL\) (.*)/.exec(answer?.stdout ?? '')?.[1];
  if (version !== undefined) versions.set(file, version);
  return version;
}

async function inspect(directory: string): Promise<PostgresBinaries | undefined> {
  if (!(await isComplete(directory))) return undefined;
  const version = await askVersion(join(directory, 'postgres'));
  const major = Number.parseInt(version ?? '', 10);
  return version === undefined || Number.isNaN(major) ? undefined : { directory, major, version };
}

/** One after the other, because `pg_config` need not be asked where a place before it has what is wanted. */
async function* candidates(): AsyncGenerator<string> {
  if (environment.pgBindir !== undefined) return yield* environment.pgBindir.split(delimiter);
  yield* await versionedDirectories();
  yield* await configuredDirectory();
  yield '/usr/local/pgsql/bin';
  yield* searchPath();
}

/**
 * Finds PostgreSQL's programs by looking: `PG_BINDIR` alone where it is set, else the usual directories (newest first),
 * what `pg_config` names, and PATH. `major` asks for the version that made a data directory. Versions before 13 do not count.
 */
export async function findPostgres(major?: number): Promise<PostgresBinaries> {
  const seen: PostgresBinaries[] = [];
  const looked = new Set<string>();
  for await (const directory of candidates()) {
    if (looked.has(directory)) continue;
    looked.add(directory);
    const found = await inspect(directory);
    if (found === undefined) continue;
    if (found.major >= OLDEST && (major === undefined || found.major === major)) return found;
    seen.push(found);
  }
  throw seen.length === 0 ? nothingFound() : unsuitable(seen, major);
}

function nothingFound(): Error {
  if (environment.pgBindir === undefined) {
    return failure(
      'notFound',
      'PostgreSQL is not installed (looked for postgres, initdb, pg_ctl, psql and pg_dump)',
      'apt-get install postgresql (Debian), dnf install postgresql-server postgresql (RHEL), or set PG_BINDIR',
    );
  }
  return failure(
    'notFound',
    `PG_BINDIR is ${environment.pgBindir}, which lacks working programs ${NEEDED.join(', ')}`,
    'correct PG_BINDIR, or unset it',
  );
}

function unsuitable(seen: PostgresBinaries[], major: number | undefined): Error {
  const versions = [...new Set(seen.map((binaries) => binaries.major))].join(', ');
  if (major === undefined || major < OLDEST) {
    const who = major === undefined ? 'this machine has' : 'the data directory was made by';
    return failure(
      'state',
      `${who} PostgreSQL ${major ?? versions}, which is too old: ${OLDEST} or later is needed`,
      `install PostgreSQL ${OLDEST} or later, or set PG_BINDIR`,
    );
  }
  return failure(
    'state',
    `the data directory was made by PostgreSQL ${major}, and this machine has ${versions}`,
    `install PostgreSQL ${major} beside it (for example: apt-get install postgresql-${major}), or set PG_BINDIR`,
  );
}
