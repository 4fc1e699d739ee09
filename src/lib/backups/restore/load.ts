import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type FoundMember, readMember, readSmallMember } from '../../archive/read.ts';
import type { Account } from '../../core/account.ts';
import { childFailure } from '../../core/child-result.ts';
import { withStagingDirectory } from '../../core/files.ts';
import { runChecked, type StartedChild } from '../../core/process.ts';
import type { Cluster } from '../../database/cluster.ts';
import { loadIntoDatabase, runScript } from '../../database/dump.ts';
import { dataDirectory } from '../script.ts';
import type { SetContents } from './contents.ts';

/** Where psql finds the files of a dump while it loads them, below the cluster's directory. */
export const LOADING = '.loading-';

/**
 * Opens a named pipe for writing, which waits for its reader. A reader that has ended without opening it is stood in for,
 * because nothing else would end the wait; undefined then.
 */
async function openPipe(path: string, ended: Promise<void>): Promise<FileHandle | undefined> {
  const opening = open(path, constants.O_WRONLY);
  const state = { isOpen: false, isOver: false };
  void ended.then(async () => {
    state.isOver = true;
    if (state.isOpen) return;
    const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    await opening;
    await reader.close();
  });
  const pipe = await opening;
  state.isOpen = true;
  if (!state.isOver) return pipe;
  await pipe.close();
  return undefined;
}

/** A write to a pipe can be short, too; a position it has none. */
async function writePipe(pipe: FileHandle, data: Buffer): Promise<void> {
  for (let offset = 0; offset < data.length; )
    offset += (await pipe.write(data, offset, data.length - offset, null)).bytesWritten;
}

async function feed(contents: SetContents, paths: string[], ended: Promise<void>): Promise<void> {
  for (const [index, path] of paths.entries()) {
    const pipe = await openPipe(path, ended);
    if (pipe === undefined) return;
    try {
      for await (const chunk of readMember(contents.handle, contents.parts[index] as FoundMember))
        await writePipe(pipe, chunk);
    } finally {
      await pipe.close();
    }
  }
}

/** What psql says of its end comes before what befell its input: it ends at its first error, and the pipe breaks then. */
async function finish({ done }: StartedChild, fed: Promise<unknown>): Promise<void> {
  const error = await fed.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  const result = await done;
  if (result.status !== 0) throw childFailure('psql', result);
  if (error !== undefined) throw error;
}

/**
 * Lets psql run a set's script as a person would, in a directory where the files that it reads are named pipes: what is
 * in them lies on no disk.
 */
async function loadByScript(
  cluster: Cluster,
  account: Account,
  name: string,
  contents: SetContents,
): Promise<void> {
  const { dump, parts, handle } = contents;
  await withStagingDirectory(cluster.root, LOADING, async (directory) => {
    const script = join(directory, basename(dump.path));
    await writeFile(script, await readSmallMember(handle, dump), { mode: 0o600, flag: 'wx' });
    const paths = parts.map(({ path }) => join(dataDirectory(script), basename(path)));
    await mkdir(dirname(paths[0] ?? ''), { mode: 0o700 });
    await runChecked('mkfifo', ['-m', '600', ...paths]);
    const child = await runScript(cluster, account, name, script);
    const ended = child.done.then(
      () => undefined,
      () => undefined,
    );
    await finish(child, feed(contents, paths, ended));
  });
}

/** Loads a set's dump into an empty database, in one transaction. */
export async function loadDump(
  cluster: Cluster,
  account: Account,
  name: string,
  contents: SetContents,
): Promise<void> {
  if (contents.parts.length > 0) return loadByScript(cluster, account, name, contents);
  const child = await loadIntoDatabase(cluster, account, name);
  await finish(child, pipeline(readMember(contents.handle, contents.dump), child.stdin));
}
