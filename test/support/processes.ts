/** Looking at processes, to wait for a moment of a program's work and to show that nothing of it is left. */
import { open, readdir, readFile, readlink } from 'node:fs/promises';
import { until } from './sandbox.ts';

/** A process, by its number and its words. */
export interface Seen {
  pid: number;
  words: string[];
}

/** More than any command line here has. */
const LONGEST = 65_536;

/**
 * The command line of a process, in one reading: where a process begins another program between two of them, as readFile
 * makes, the words are the first program's with the last words of the second behind them.
 */
async function commandLine(pid: number): Promise<string> {
  const file = await open(`/proc/${pid}/cmdline`);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LONGEST), 0, LONGEST);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function look(pid: number): Promise<Seen | undefined> {
  const text = await commandLine(pid).catch(() => '');
  return text === '' ? undefined : { pid, words: text.split('\0') };
}

/** What a process has started, and what that has started. */
export async function descendants(pid: number): Promise<Seen[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const found: Seen[] = [];
  for (const child of text.split(' ').map(Number).filter(Boolean)) {
    const seen = await look(child);
    if (seen !== undefined) found.push(seen);
    found.push(...(await descendants(child)));
  }
  return found;
}

/** Command lines of the processes that name a path, or work in it or below it. Zombies have neither. */
export async function processesAt(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const seen = await look(Number(name));
    const place = await readlink(`/proc/${name}/cwd`).catch(() => '');
    if (seen === undefined) continue;
    if (place === path || place.startsWith(`${path}/`) || seen.words.some((word) => word.includes(path)))
      found.push(`${name} ${seen.words.join(' ')}`);
  }
  return found;
}

/** Waits until no process names a path or works below it: a server's logger, for one, ends a moment after the server. */
export async function allEnded(path: string): Promise<void> {
  await until(async () => (await processesAt(path)).length === 0, `all processes of ${path} have ended`);
}

/** Whether a process is there; a zombie is not. */
export async function isAlive(pid: number): Promise<boolean> {
  return (await look(pid)) !== undefined;
}

/** Waits until a process that is being started, or one that it has started, has stopped (KTADMIN_STOP_AT). Returns which. */
export async function untilStopped(parent: () => number): Promise<number> {
  let stopped: number | undefined;
  await until(async () => {
    const all = parent() === 0 ? [] : [parent(), ...(await descendants(parent())).map(({ pid }) => pid)];
    for (const pid of all) {
      const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      if (/\) T /.test(status)) stopped = pid;
    }
    return stopped !== undefined;
  }, 'a process has stopped');
  return stopped ?? 0;
}

/** The temporary GnuPG homes that processes were given. */
export function gpgHomes(processes: Seen[]): string[] {
  return processes.flatMap(({ words }) => words.filter((word) => word.startsWith('/tmp/ktgpg-')));
}
