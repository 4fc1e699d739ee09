import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** What is killed is gone within moments; after so many looks, this many milliseconds apart, it is left to itself. */
const LOOKS = 100;
const PAUSE = 20;

/** The processes whose command line has a path as one of its words. What has ended has none. */
async function naming(path: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const words = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (words.split('\0').includes(path)) found.push(Number(name));
  }
  return found;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended, or is another account's.
  }
}

/** Ends every process that was started for a directory which is about to go, however it may have been cut off. */
export async function endRemnants(directory: string): Promise<void> {
  for (let look = 0; look < LOOKS; look += 1) {
    const pids = await naming(directory);
    if (pids.length === 0) return;
    for (const pid of pids) kill(pid);
    await delay(PAUSE);
  }
}
