/** PostgreSQL's programs, and what a running server is. */
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { run, temporaryDirectory } from './sandbox.ts';

/** The process id that a server's lock file names. */
export async function postmaster(server: { pgRootdir: string }): Promise<number> {
  return Number.parseInt(await readFile(join(server.pgRootdir, 'data/postmaster.pid'), 'utf8'), 10);
}

/** A directory of PostgreSQL's programs in which `postgres` is a script; REAL is the real one. */
export async function bindirWith(postgres: string): Promise<string> {
  const places = '/usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* /usr/bin';
  const find = `for d in ${places}; do [ -x $d/initdb ] && echo $d; done`;
  const [real = ''] = (await run('sh', ['-c', find])).stdout.split('\n');
  const directory = join(await temporaryDirectory(), 'bin');
  await mkdir(directory);
  for (const name of ['initdb', 'pg_ctl', 'psql', 'pg_dump'])
    await symlink(join(real, name), join(directory, name));
  await writeFile(join(directory, 'postgres'), postgres.replaceAll('REAL', join(real, 'postgres')));
  await chmod(join(directory, 'postgres'), 0o755);
  await chmod(directory, 0o755);
  await chmod(join(directory, '..'), 0o755);
  return directory;
}

/** Listens on a port of 127.0.0.1 until the test has ended. */
export async function occupyPort(port: number): Promise<void> {
  const other = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    other.once('error', reject);
    other.listen(port, '127.0.0.1', resolve);
  });
  onTestFinished(() => void other.close());
}
