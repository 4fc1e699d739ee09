// Ends what the quickstart started: the database, GnuPG's agents, and whatever of these a failure left behind.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Programs that stay when a command has ended. */
const DAEMONS = new Set(['postgres', 'gpg-agent', 'keyboxd', 'scdaemon', 'dirmngr', 'node']);
const PATIENCE = 10_000;

/** Ends every process of a place, kindly first. Never fails: what has to be removed afterwards must be removed. */
export async function endProcesses(place) {
  if (existsSync(join(place.pgRootdir, 'data', 'postmaster.pid')))
    await place.run(['ktadmin', 'db', 'stop', '--pg-rootdir', place.pgRootdir]).catch(() => {});
  endAgents(place.administrator, {});
  endAgents(place.keyring, process.getuid() === 0 ? { uid: place.account.uid, gid: place.account.gid } : {});
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL']) {
    const deadline = Date.now() + PATIENCE;
    let left = daemonsBelow(place.directory);
    for (const pid of left) send(pid, signal);
    while (left.length > 0 && Date.now() < deadline) {
      await sleep(50);
      left = daemonsBelow(place.directory);
    }
    if (left.length === 0) return;
  }
}

/** GnuPG keeps its sockets outside its home where the system has a directory for them: that goes too. */
function endAgents(home, identity) {
  for (const order of [['--kill', 'all'], ['--remove-socketdir']])
    spawnSync('gpgconf', ['--homedir', home, ...order], { cwd: '/', stdio: 'ignore', ...identity });
}

/** Daemons whose command line names the directory; its name is random, so they are this run's and nobody else's. */
function daemonsBelow(directory) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      const words = commandOf(pid);
      return DAEMONS.has(words[0]?.split('/').at(-1)) && words.some((word) => word.includes(directory));
    })
    .map(Number);
}

function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function send(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
