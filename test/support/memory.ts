/** Where the files of a run lie: in memory where that can be had, because the system spends much time on copies of servers. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** The most that a run may take, and what must be to spare beforehand; what it takes is below 2 GiB. */
const [MOST, SPARE] = [6, 10];

function spareGiB(): number {
  const [, kilobytes] = /^MemAvailable: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8')) ?? [];
  return Number(kilobytes ?? 0) / 2 ** 20;
}

/**
 * Mounts a file system in memory on a directory, if it can be done: by root, where there is memory to spare. Nothing else
 * differs then; `KT_TESTS_ON_DISK=1 npm test` does without.
 */
export function mountMemory(directory: string): boolean {
  if (process.getuid?.() !== 0 || process.env.KT_TESTS_ON_DISK === '1' || spareGiB() < SPARE) return false;
  try {
    const options = ['-t', 'tmpfs', '-o', `size=${MOST}g,mode=0755`, 'tmpfs', directory];
    execFileSync('mount', options, { stdio: 'ignore' });
    return true;
  } catch {
    // A container may have no right to mount.
    return false;
  }
}

/** Gives the memory back: first the files, so that what an agent of GnuPG watches is gone for it too. */
export function unmountMemory(directory: string): void {
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true, force: true });
  execFileSync('umount', ['--lazy', directory]);
}
