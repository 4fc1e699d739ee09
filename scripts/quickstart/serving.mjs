// The server of the quickstart, which goes on while other commands run.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** Starts `ktadmin serve` and waits until it says that it listens. Returns what ends it. */
export async function startServing(place, env) {
  place.show(['ktadmin', 'serve'], {}, ' &');
  const child = spawn(process.execPath, [join(place.bin, 'ktadmin'), 'serve'], {
    ...{ cwd: '/', env, detached: true },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise((resolve) => {
    child.once('exit', resolve);
  });
  let said = '';
  await new Promise((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      said += chunk;
      if (said.includes('listening on')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`ktadmin serve ended:\n${said}`)));
  });
  return async () => {
    place.show(['kill', '%%']);
    child.kill('SIGTERM');
    const status = await ended;
    if (status !== 0) throw new Error(`ktadmin serve ended with status ${status}:\n${said}`);
  };
}
