import { fstatSync, writeSync } from 'node:fs';

/** Whether stdout is a terminal. It is not asked for where that would only cost time: a pipe and a file are none. */
function isTerminal(): boolean {
  return fstatSync(1).isCharacterDevice() && process.stdout.isTTY === true;
}

/** Columns of the terminal that a screen is for; undefined where there is none. */
export function screenWidth(): number | undefined {
  return isTerminal() ? process.stdout.columns : undefined;
}

/**
 * Writes a help screen or the version to stdout. Node's stream is made only for a terminal, and for a pipe that is full:
 * it costs 3 ms, and `--help` is to cost little more than Node itself. A reader that has gone is no error.
 */
export function writeScreen(text: string): void {
  const bytes = Buffer.from(text);
  let written = 0;
  try {
    if (!isTerminal()) written = writeSync(1, bytes);
    if (written < bytes.length) writeRest(bytes.subarray(written));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') writeRest(bytes);
    else tell(error as NodeJS.ErrnoException);
  }
}

function writeRest(bytes: Uint8Array): void {
  process.stdout.on('error', tell);
  process.stdout.write(bytes);
}

function tell(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') return;
  process.exitCode = 1;
  const reason = error.code === 'ENOSPC' ? 'no space left on device' : error.message;
  process.stderr.write(`ktadmin: error: standard output: ${reason}\n`);
}
