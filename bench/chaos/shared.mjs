// What the parts of the chaos run share.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A number between 0 and 1 at a time, the same ones for the same seed. */
export function randomness(seed) {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    whole: (least, most) => least + Math.floor(next() * (most - least + 1)),
    one: (list) => list[Math.floor(next() * list.length)],
  };
}

/** Runs a program to its end. */
export function run(words, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(words[0], words.slice(1), { env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
    const told = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => (told.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (told.stderr += text));
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, ...told }));
  });
}

/** Does something until it works; gives up after two minutes, which counts as hanging. */
export async function insist(what, work) {
  const limit = Date.now() + 120_000;
  for (;;) {
    const { status, stdout, stderr } = await work();
    if (status === 0) return stdout;
    if (Date.now() > limit) throw new Error(`${what} does not work any more: ${stderr}`);
    await sleep(200);
  }
}

/** The processes that a process started, theirs included, with what they call themselves. */
export function descendants(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const found = [];
  const walk = (parent) => {
    for (const [child, above] of parents) {
      if (above !== parent) continue;
      found.push(child);
      walk(child);
    }
  };
  walk(pid);
  return found;
}

/** The program that a process runs; nsenter waits for it, as it has to be born in the space of processes that it enters. */
export function programOf(pid) {
  try {
    if (readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'nsenter\n') return pid;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]) || pid;
  } catch {
    return pid;
  }
}

/** Whether a process is still there, and not only waiting to be noticed. */
export function lives(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
  } catch {
    return false;
  }
}

/** Ends a process without a chance; one that has ended by itself is no fault. */
export function kill9(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Waits until something is so; after two minutes it hangs. */
export async function until(condition, what) {
  const limit = Date.now() + 120_000;
  while (!(await condition())) {
    if (Date.now() > limit) throw new Error(`never happened: ${what}`);
    await sleep(20);
  }
}
