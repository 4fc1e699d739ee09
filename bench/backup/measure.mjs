// Runs a command to its end, and says how long it took and how much memory its processes had at most, together.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

/** How often memory is looked at, milliseconds. */
const INTERVAL = 50;

const read = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** A process and those that it started. */
function family(pid) {
  const children = readdirSync(`/proc/${pid}/task`, { encoding: 'utf8' })
    .flatMap((task) => read(`/proc/${pid}/task/${task}/children`).trim().split(' '))
    .filter((text) => text !== '');
  return [
    pid,
    ...children.flatMap((child) => {
      try {
        return family(Number(child));
      } catch {
        return [];
      }
    }),
  ];
}

/** Resident memory of a process and its children, KiB; pages that several share count for each of them. */
function memoryOf(pid) {
  try {
    return family(pid)
      .map((one) => Number(/^Rss:\s+(\d+)/m.exec(read(`/proc/${one}/smaps_rollup`))?.[1] ?? 0))
      .reduce((sum, size) => sum + size, 0);
  } catch {
    return 0;
  }
}

/** Seconds, and mebibytes at most; fails when the command does. */
export async function measure(words, options) {
  const start = performance.now();
  const child = spawn(words[0], words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/', ...options });
  let output = '';
  let errors = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (errors += data));
  let memory = 0;
  const watch = setInterval(() => (memory = Math.max(memory, memoryOf(child.pid))), INTERVAL);
  const status = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(watch);
  if (status !== 0) throw new Error(`${words.join(' ')}: ${status}: ${errors}`);
  return {
    seconds: (performance.now() - start) / 1000,
    memory: memory / 1024,
    output: output.trim(),
    errors,
  };
}

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
