// A server with deposits for measurements, in a directory of its own that is gone afterwards.
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPostgresql } from '../../scripts/system-packages.mjs';

const top = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const RECIPIENT = 'ka@example.com';

function must(words, env) {
  const done = spawnSync(words[0], words.slice(1), { env, encoding: 'utf8', cwd: '/' });
  if (done.status !== 0) throw new Error(`${words.join(' ')}: ${done.stderr ?? done.error}`);
  return done.stdout;
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** As root the server needs an account; this one is everywhere, so that the measurement leaves none behind. */
const isRoot = process.getuid() === 0;
const ids = () => ['-u', '-g'].map((flag) => Number(must(['id', flag, 'nobody']).trim()));

function owned(path) {
  mkdirSync(path, { mode: 0o700 });
  if (isRoot) chownSync(path, ...ids());
  return path;
}

/** Lends a server to `work`: how its commands are run, how those of others, and where things are. */
export async function withPlace(deposits, work) {
  const directory = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'kt-bench-'));
  chmodSync(directory, 0o755);
  const home = owned(join(directory, 'home'));
  const server = join(directory, 's');
  const port = await freePort();
  const place = {
    confdir: join(server, '.keytrustee'),
    output: owned(join(directory, 'sets')),
    ktadmin: (...words) => [process.execPath, join(top, 'bin', 'ktadmin.js'), ...words],
    stranger: (...words) => (isRoot ? ['setpriv', '--reuid=nobody', '--clear-groups', ...words] : [...words]),
    script: (name) => join(top, 'bench', 'backup', name),
    env: {
      PATH: `${findPostgresql()}:${process.env.PATH}`,
      HOME: home,
      GNUPGHOME: join(home, 'g'),
      KEYTRUSTEE_CONFDIR: join(server, '.keytrustee'),
      PGHOST: join(server, 'db', 'run'),
      PGPORT: String(port),
      PGUSER: 'keytrustee',
    },
  };
  const call = (...words) => must(place.ktadmin(...words), place.env);
  try {
    owned(place.env.GNUPGHOME);
    const where = ['--pg-rootdir', join(server, 'db'), '--database-port', String(port)];
    const user = isRoot ? ['--user', 'nobody'] : [];
    call('init', '--external-address', 'kts01.example.com', ...where, ...user);
    call('db', 'start');
    const gpg = ['gpg', '--batch', '--pinentry-mode', 'loopback', '--passphrase', ''];
    must(place.stranger(...gpg, '--quick-generate-key', `Key Administrator <${RECIPIENT}>`), place.env);
    if (deposits > 0)
      must(
        [join(top, 'bench', 'seed-deposits'), '--confdir', place.confdir, '--deposits', String(deposits)],
        place.env,
      );
    return await work(place);
  } finally {
    spawnSync(process.execPath, [join(top, 'bin', 'ktadmin.js'), 'db', 'stop'], { env: place.env });
    spawnSync('gpgconf', ['--homedir', place.env.GNUPGHOME, '--kill', 'all']);
    rmSync(directory, { recursive: true, force: true });
  }
}
