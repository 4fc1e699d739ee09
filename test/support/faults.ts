/** Faults that tests put around the program: programs that fail in place of PostgreSQL's and GnuPG's, full disks, leftovers. */
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isRoot, type Outcome, type RunOptions, run, world } from './sandbox.ts';

/** The directory of PostgreSQL's real programs. */
export const realBindir = async (): Promise<string> => world.postgres;

async function writeProgram(path: string, text: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
}

/** A copy of PostgreSQL's programs, as links, in which some are shell scripts. `$REAL` in them is the real program. */
export async function fakePostgres(parent: string, programs: Record<string, string>): Promise<string> {
  const real = await realBindir();
  const directory = await mkdtemp(join(parent, 'bin'));
  await chmod(directory, 0o755);
  for (const name of await readdir(real)) {
    const fake = programs[name];
    if (fake === undefined) await symlink(join(real, name), join(directory, name));
    else await writeProgram(join(directory, name), `REAL=${join(real, name)}\n${fake}`);
  }
  return directory;
}

/** A PATH on which some programs are shell scripts. `$REAL` in them is the real program. */
export async function fakePath(parent: string, programs: Record<string, string>): Promise<string> {
  const directory = await mkdtemp(join(parent, 'path'));
  await chmod(directory, 0o755);
  for (const [name, text] of Object.entries(programs)) {
    const real = execFileSync('which', [name], { encoding: 'utf8' }).trim();
    await writeProgram(join(directory, name), `REAL=${real}\n${text}`);
  }
  return `${directory}:${world.bin}:${process.env.PATH ?? ''}`;
}

/** Processes with this value in their environment, those of PostgreSQL's server left out: a marker of one run's children. */
export async function processesWith(marker: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    const command = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
    if (!environment.split('\0').includes(`TERM=${marker}`) || command === '') continue;
    if (!/^(?:\S*\/postgres\0|postgres: )/.test(command)) found.push(command.replaceAll('\0', ' ').trim());
  }
  return found;
}

let markers = 0;

/** A value for TERM that the children of one run inherit. */
export function marker(): string {
  markers += 1;
  return `xterm-${process.pid}-${markers}`;
}

/** Everything below a directory: paths and modes, sorted. */
export async function tree(directory: string): Promise<string> {
  const listed = await run('find', [directory, '-printf', '%M %P\\n']);
  return listed.stdout.split('\n').toSorted().join('\n');
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** A shell script in a mount namespace of its own; as root only. What it mounts is gone when it has ended. */
export async function inNamespace(script: string, options: RunOptions = {}): Promise<Outcome> {
  return run('unshare', ['--mount', '--propagation', 'private', 'sh', '-euc', script], options);
}

/** The same, with a /tmp of its own in which only the tests' world is; the names that were left there come last. */
export async function withOwnTmp(
  scratch: string,
  words: string[],
  options: RunOptions = {},
): Promise<Outcome & { left: string[] }> {
  const own = await mkdtemp(join(scratch, 'tmp'));
  await chmod(own, 0o1777);
  const place = join(own, basename(world.directory));
  await mkdir(place);
  const script = [
    `mount --bind ${quote(world.directory)} ${quote(place)}`,
    `mount --rbind ${quote(own)} ${dirname(world.directory)}`,
    `exec ${words.map(quote).join(' ')}`,
  ].join('\n');
  const outcome = await inNamespace(script, options);
  return { ...outcome, left: (await readdir(own)).filter((name) => name !== basename(world.directory)) };
}

/** A directory given to the service account. */
export async function give(path: string): Promise<string> {
  if (isRoot) await chown(path, world.account.uid, world.account.gid);
  return path;
}
