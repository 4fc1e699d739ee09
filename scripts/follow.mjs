// Starts a program in this script's place, as far as that goes without exec: its exit status becomes ours.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** Runs the program; options are those of `spawn`. Ends with its exit status, 128+n after signal n, 127 if not started. */
export function follow(program, args, options) {
  const child = spawn(program, args, options);
  // A terminal sends SIGINT and SIGHUP to the whole group: the child has them already and decides when it is done.
  for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => {
    console.error(error.message);
    process.exitCode = 127;
  });
  child.on('exit', (status, signal) => {
    process.exitCode = status ?? 128 + constants.signals[signal];
  });
}
