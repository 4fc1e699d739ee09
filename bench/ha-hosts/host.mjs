// One host of a pair: namespaces of its own for network, processes, mounts, host name and shared memory, in which the product
// lies where it lies on a real machine. All of it ends with its first process, and that one with ours, however that ends.
import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { must, PATH } from './network.mjs';

const KINDS = ['--net', '--mount', '--uts', '--ipc', '--pid'];

/** Where a host has its database. */
const PG_ROOTDIR = '/var/lib/keytrustee/db';

// bash takes the ends of all that was left alone, as a first process must; at the end of its input it ends, and all with it.
const HOLD = `set -e
hostname "$HOST_NAME"
ip link set lo up
# The client's own file is below this one, and its name is gone already: nothing can be mounted upon it.
umount /etc/hosts
mount --bind "$DIRECTORY/hosts" /etc/hosts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir -p "$DIRECTORY/tmp/\${SHARED#/tmp/}"
mount --bind "$SHARED" "$DIRECTORY/tmp/\${SHARED#/tmp/}"
mount --rbind "$DIRECTORY/tmp" /tmp
mount --bind "$DIRECTORY/lib" /var/lib
if [ -n "$DISK" ]; then mount -t tmpfs -o "size=$DISK,mode=0700,uid=$UID_GID" tmpfs ${PG_ROOTDIR}; fi
echo ready
while read -r line; do :; done`;

/** Makes the directories: `lib` becomes the host's /var/lib, `tmp` its /tmp. */
function prepare(directory, account, hostLines, disk) {
  const place = join(directory, 'lib', 'keytrustee');
  mkdirSync(place, { recursive: true });
  const owned = [place];
  if (disk !== undefined) owned.push(join(place, 'db'));
  for (const path of owned) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o700);
    chownSync(path, account.uid, account.gid);
  }
  mkdirSync(join(directory, 'tmp'));
  chmodSync(join(directory, 'tmp'), 0o1777);
  writeFileSync(join(directory, 'hosts'), `127.0.0.1 localhost\n::1 localhost\n${hostLines}`);
}

/** Waits until the namespaces are as they shall be. */
function whenReady(holder, name) {
  return new Promise((resolve, reject) => {
    let words = '';
    holder.stderr.setEncoding('utf8').on('data', (text) => (words += text));
    holder.stdout.setEncoding('utf8').on('data', (text) => text.includes('ready') && resolve());
    holder.once('error', reject);
    holder.once('close', () => reject(new Error(`the host ${name} could not be made: ${words}`)));
  });
}

function firstChild(pid) {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);
}

/** Numbers of a host's processes: as the machine counts them, by what they are on the host itself. */
function processes(pid) {
  const found = new Map();
  const space = readlinkSync(`/proc/${pid}/ns/pid`);
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      if (readlinkSync(`/proc/${name}/ns/pid`) !== space) continue;
      const [, numbers] = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'));
      found.set(Number(numbers.split(/\s+/).at(-1)), Number(name));
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

/** The disk below the database, which is given just the size of what lies on it, or its own again. */
function diskOf(words, size) {
  const resize = (next) => must(words('mount', ['-o', `remount,size=${next}`, PG_ROOTDIR]));
  return {
    async fillDisk(leave = 0) {
      for (let attempt = 1; ; attempt += 1) {
        const told = await must(words('stat', ['-f', '-c', '%b %f %S', PG_ROOTDIR]));
        const [blocks, free, block] = told.split(' ').map(Number);
        try {
          await resize(Math.max(1, blocks - free) * block + leave);
          return;
        } catch (error) {
          // Something was written between the look and the change.
          if (attempt === 20) throw error;
        }
      }
    },
    freeDisk: () => resize(size),
  };
}

/**
 * Starts a host. `directory` is its own, `shared` one below /tmp that all hosts see (the program lies there); with `disk`
 * (a size, such as `2g`) its database lies on a file system of that size.
 */
export async function startHost({ host, directory, shared, account, hostLines, disk }) {
  prepare(directory, account, hostLines, disk);
  const flags = [...KINDS, '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'];
  const holder = spawn('unshare', [...flags, 'bash', '--norc', '-c', HOLD], {
    env: {
      PATH,
      HOST_NAME: host.name,
      DIRECTORY: directory,
      SHARED: shared,
      DISK: disk ?? '',
      UID_GID: `${account.uid},gid=${account.gid}`,
    },
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
    // A Ctrl-C is for us, who end it.
    detached: true,
  });
  const ended = new Promise((resolve) => holder.once('exit', resolve));
  await whenReady(holder, host.name);
  const pid = firstChild(holder.pid);
  const words = (file, args) => ['nsenter', `--target=${pid}`, ...KINDS, file, ...args];
  return {
    ...host,
    pid,
    words,
    /** Its /var/lib/keytrustee, as others see it; what is mounted in it is to be found by `path` alone. */
    place: join(directory, 'lib', 'keytrustee'),
    /** A path of the host's, as others see it. */
    path: (path) => `/proc/${pid}/root${path}`,
    outerPid: (inner) => processes(pid).get(inner),
    processes: () => [...processes(pid).values()],
    ...(disk === undefined ? {} : diskOf(words, disk)),
    async end() {
      holder.stdin.end();
      await ended;
    },
  };
}
