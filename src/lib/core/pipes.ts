import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { run, type StartedChild, start } from './process.ts';
import { randomSuffix } from './random.ts';

/** The two ends of a pipe: one for a child, one for this process. */
interface Ends {
  childs: FileHandle;
  own: FileHandle;
}

/**
 * Opens both ends of a pipe that has no name any more. Node connects children by streams, which allocate memory for
 * every piece; a pipe's end is a file, which is read into the same memory again and again.
 */
async function openEnds(path: string, childReads: boolean): Promise<Ends> {
  // With both directions open neither end waits for the other one.
  const both = await open(path, constants.O_RDWR);
  try {
    const [read, write] = [await open(path, constants.O_RDONLY), await open(path, constants.O_WRONLY)];
    return childReads ? { childs: read, own: write } : { childs: write, own: read };
  } finally {
    await both.close();
    await unlink(path);
  }
}

/** A child whose standard input (when `withInput`) and output are pipes of this process. Whoever starts it closes them. */
export interface PipedChild extends StartedChild {
  input: FileHandle | undefined;
  output: FileHandle;
}

/** Starts a program on pipes, which are made in a private directory and leave nothing there. */
export async function startPiped(
  file: string,
  args: string[],
  { directory, home, withInput }: { directory: string; home?: string; withInput: boolean },
): Promise<PipedChild> {
  const names = [0, 1].map(() => join(directory, `.pipe-${randomSuffix()}`)).slice(withInput ? 0 : 1);
  await run('mkfifo', ['-m', '600', ...names]);
  const output = await openEnds(names.at(-1) ?? '', false);
  const input = withInput ? await openEnds(names[0] ?? '', true) : undefined;
  try {
    const child = await start(file, args, {
      ...(home === undefined ? {} : { home }),
      stdio: [input?.childs.fd ?? 'ignore', output.childs.fd, 'pipe'] as never,
    });
    return { ...child, input: input?.own, output: output.own };
  } finally {
    await output.childs.close();
    await input?.childs.close();
  }
}

/** The most that a pipe holds, bytes. */
const PIPE = 64 * 1024;

/** What comes out of a pipe. Each piece is valid until the next one is asked for: they share their memory. */
export async function* readPipe(pipe: FileHandle): AsyncGenerator<Buffer> {
  const memory = Buffer.allocUnsafeSlow(PIPE);
  for (;;) {
    const { bytesRead } = await pipe.read(memory, 0, PIPE, null);
    if (bytesRead === 0) return;
    yield memory.subarray(0, bytesRead);
  }
}

/** Writes all bytes to a pipe; a write can be short. */
export async function writePipe(pipe: FileHandle, data: Buffer): Promise<void> {
  for (let offset = 0; offset < data.length; )
    offset += (await pipe.write(data, offset, data.length - offset, null)).bytesWritten;
}
