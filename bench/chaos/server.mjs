// The server and its database, kept running as a service manager would: what ends is started again.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { descendants, insist, kill9, lives, programOf, until } from './shared.mjs';

/** Starts both, and returns how they are hit and healed. */
export async function openServer(place, say) {
  let child;
  let isStopping = false;
  let isHeld = false;

  const start = () => {
    let told = '';
    let isListening = false;
    const words = place.words(['serve', '--port', String(place.port), '--workers', '2']);
    const own = spawn(words[0], words.slice(1), {
      env: place.env,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    own.stderr.setEncoding('utf8').on('data', (text) => {
      told += text;
      isListening ||= told.includes('listening on');
      told = told.slice(-4000);
    });
    own.isListening = () => isListening;
    own.told = () => told;
    own.once('close', (status, signal) => {
      if (isStopping) return;
      if (signal === null && status !== 0) say(`serve ended with ${status}: ${told}`);
      startLater();
    });
    child = own;
  };
  const startLater = () => setTimeout(() => (isHeld ? startLater() : isStopping || start()), 100);

  const { postmaster } = place;
  const startDatabase = () => insist('db start', () => place.ktadmin(['db', 'start']));

  await startDatabase();
  start();
  // A database that loses its first process, or whose recovery is killed, has to be started again.
  const keepDatabase = async () => {
    while (!isStopping) {
      const pid = postmaster();
      if (!isHeld && (pid === undefined || !lives(pid))) await startDatabase();
      await sleep(200);
    }
  };
  const kept = keepDatabase();
  const heal = async () => {
    await startDatabase();
    await until(() => child.isListening() && lives(child.pid), 'the server listens again').catch((error) => {
      say(`the server said last: ${child.told()}`);
      throw error;
    });
  };
  await heal();
  return {
    processes: () => [programOf(child.pid), ...descendants(programOf(child.pid))],
    workers: () => descendants(programOf(child.pid)),
    postmaster,
    backends: () => [postmaster()].filter((pid) => pid !== undefined).flatMap(descendants),
    /** Kills the server's first process; its workers must not outlive it, or they would keep the port. */
    async killAll() {
      const first = programOf(child.pid);
      const all = [first, ...descendants(first)];
      kill9(first);
      await until(() => !all.some(lives), 'workers end with their first process');
    },
    heal,
    /** What has ended is not started again before `release`. */
    hold: () => {
      isHeld = true;
    },
    release: () => {
      isHeld = false;
    },
    async stop() {
      isStopping = true;
      await kept;
      const first = programOf(child.pid);
      const all = [first, ...descendants(first)];
      if (lives(first)) process.kill(first, 'SIGTERM');
      await until(() => !all.some(lives), 'the server stops').catch(() => all.forEach(kill9));
    },
  };
}
