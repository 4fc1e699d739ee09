/** File systems so small that they fill up. Only root can mount one. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { run, temporaryDirectory, world } from './sandbox.ts';

/** A file system of a test's own. */
export interface SmallDisk {
  /** Where it is mounted. It belongs to the service account. */
  directory: string;
  /** Changes its size: `64k`, `200m`. */
  resize(size: string): Promise<void>;
  /** Takes all of its space but `bytes`. */
  fill(leave?: number): Promise<void>;
  /** Gives back what `fill` took. */
  free(): Promise<void>;
}

async function must(file: string, args: string[]): Promise<string> {
  const done = await run(file, args);
  if (done.status !== 0) throw new Error(`${file}: ${done.stderr}`);
  return done.stdout;
}

/** Mounts a file system in memory, which is unmounted when the test has ended. */
export async function smallDisk(size: string): Promise<SmallDisk> {
  const directory = await temporaryDirectory();
  const { uid, gid } = world.account;
  await must('mount', [
    '-t',
    'tmpfs',
    '-o',
    `size=${size},mode=0700,uid=${uid},gid=${gid}`,
    'tmpfs',
    directory,
  ]);
  onTestFinished(async () => {
    await run('umount', ['--lazy', directory]);
  });
  const ballast = join(directory, 'ballast');
  return {
    directory,
    resize: async (next) => void (await must('mount', ['-o', `remount,size=${next}`, directory])),
    fill: async (leave = 0) => {
      const [available = '0'] = (await must('stat', ['-f', '-c', '%a %S', directory])).split('\n');
      const [blocks = 0, blockSize = 0] = available.split(' ').map(Number);
      await must('fallocate', ['-l', String(blocks * blockSize - leave), ballast]);
    },
    free: async () => void (await must('rm', ['-f', ballast])),
  };
}
