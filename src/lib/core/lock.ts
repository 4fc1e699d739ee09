import { stat } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { errorCode, failure } from './errors.ts';
import { interruption } from './interrupt.ts';

/** How often a lock that is waited for is tried, in milliseconds. */
const RETRY = 20;

const WAIT_HINT = 'wait until it has ended';

async function tryLock(name: string): Promise<Server | undefined> {
  const lock = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    lock.once('error', (error) => (errorCode(error) === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    // Processes of one cluster share what they listen on, unless they ask not to.
    lock.listen({ path: name, exclusive: true }, () => resolve(lock));
  });
}

/**
 * Takes a lock that only one process may have for a directory and a purpose at a time, and returns what lets it go.
 * Another run that has it is waited for as long as `wait` says (milliseconds); then it is told of (status 75). The lock is
 * a name in Linux's abstract socket namespace: it is no file, and it is gone with the process, however that ends.
 */
export async function takeLock(
  directory: string,
  purpose: string,
  { hint = WAIT_HINT, wait = 0 } = {},
): Promise<() => void> {
  const { dev, ino } = await stat(directory);
  for (const limit = performance.now() + wait; ; ) {
    const lock = await tryLock(`\0ktadmin-${purpose}-${dev}-${ino}`);
    if (lock !== undefined) return () => void lock.close();
    if (performance.now() >= limit)
      throw failure('locked', `another ${purpose} is at work in ${directory}`, hint);
    await pause(RETRY, undefined, { signal: interruption }).catch(() => {
      throw interruption.reason;
    });
  }
}

/** Whether a process has a lock, found out without taking it. */
export async function isLocked(directory: string, purpose: string): Promise<boolean> {
  const { dev, ino } = await stat(directory);
  return new Promise((resolve, reject) => {
    const socket = connect(`\0ktadmin-${purpose}-${dev}-${ino}`, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => (errorCode(error) === 'ECONNREFUSED' ? resolve(false) : reject(error)));
  });
}

/** Runs work that only one process may do in a directory at a time; another run is told so (status 75). */
export async function withLock<T>(
  directory: string,
  purpose: string,
  work: () => Promise<T>,
  hint = WAIT_HINT,
): Promise<T> {
  const release = await takeLock(directory, purpose, { hint });
  try {
    return await work();
  } finally {
    release();
  }
}
