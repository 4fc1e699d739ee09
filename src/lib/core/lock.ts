import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { errorCode, failure } from './errors.ts';

/**
 * Runs work that only one process may do in a directory at a time; another run is told so (status 75). The lock is a
 * name in Linux's abstract socket namespace: it is no file, and it is gone with the process, however that ends.
 */
export async function withLock<T>(
  directory: string,
  purpose: string,
  work: () => Promise<T>,
  hint = 'wait until it has ended',
): Promise<T> {
  const { dev, ino } = await stat(directory);
  const lock = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    lock.once('error', (error) => {
      const held = failure('locked', `another ${purpose} is at work in ${directory}`, hint);
      reject(errorCode(error) === 'EADDRINUSE' ? held : error);
    });
    lock.listen(`\0ktadmin-${purpose}-${dev}-${ino}`, resolve);
  });
  try {
    return await work();
  } finally {
    lock.close();
  }
}
