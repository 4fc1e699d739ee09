import { readFile } from 'node:fs/promises';
import { failure } from './errors.ts';
import { lstatOrNothing } from './files.ts';

/** The secret that a setting names a file for: the first line of a file that nobody else can read. */
export async function readSecretFile(setting: string, path: string): Promise<string> {
  const stats = await lstatOrNothing(path);
  if (stats === undefined) throw failure('notFound', `${setting} ${path} does not exist`);
  if (!stats.isFile() || (stats.mode & 0o077) !== 0)
    throw failure('permission', `${setting} ${path} can be read by others`, `chmod 0600 ${path}`);
  return (await readFile(path, 'utf8')).split(/\r?\n/)[0] ?? '';
}
