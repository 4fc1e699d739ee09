/**
 * Start-up weight: how much longer `ktadmin --version`, `ktadmin --help` and `orgtool list` take than Node alone, all of
 * them in one run and by turns, so that whatever else the machine does falls on all alike. Makes a server of its own
 * below the temporary directory and removes it. It measures and never fails for being slow.
 *
 *   npm run bench:startup [-- RUNS]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

const WARM_UP = 3;
const runs = Math.max(15, Number(process.argv[2] ?? 25) || 25);
const ktadmin = join(dirname(dirname(fileURLToPath(import.meta.url))), 'bin', 'ktadmin.js');
const directory = mkdtempSync(join(tmpdir(), 'kt-bench-'));
const pgRootdir = join(directory, 's', 'db');
const env = { ...process.env, KEYTRUSTEE_CONFDIR: join(directory, 's', '.keytrustee') };
// As root the server needs an account; this one is everywhere, so that the measurement leaves none behind.
const user = process.getuid() === 0 ? ['--user', 'nobody'] : [];

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

const call = (...args) =>
  execFileSync(process.execPath, [ktadmin, ...args], { env, stdio: 'pipe', cwd: '/' });

async function makeServer() {
  execFileSync('chmod', ['755', directory]);
  const place = ['--pg-rootdir', pgRootdir, '--database-port', String(await freePort())];
  call('init', '--external-address', 'kts01.example.com', ...place, ...user);
  call('db', 'start');
  for (const name of ['disaster-recov', 'prod', 'test'])
    call('orgtool', 'add', '-n', name, '-c', 'finn@example.com,jake@example.com');
}

/** What is measured; the first is what all are compared with. Limits are those of the project's acceptance criteria. */
const subjects = [
  { name: 'node -e 0', args: ['-e', '0'] },
  { name: 'ktadmin --version', args: [ktadmin, '--version'], limit: 1.4 },
  { name: 'ktadmin --help', args: [ktadmin, '--help'], limit: 1.4 },
  { name: 'orgtool list', args: [ktadmin, 'orgtool', 'list'], limit: 2.5 },
].map((subject) => ({ ...subject, times: [] }));

function measure({ name, args, times }, keep) {
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { env, stdio: 'pipe', cwd: '/' });
  if (keep) times.push(performance.now() - start);
  if (status !== 0) throw new Error(`${name} failed: ${stderr}`);
}

const median = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];

function report() {
  const base = median(subjects[0].times);
  console.log(`Node ${process.versions.node}, medians of ${runs} runs by turns:`);
  if (env.NODE_EXTRA_CA_CERTS)
    console.log('NODE_EXTRA_CA_CERTS is set: every start of Node is longer, and the ratios are smaller');
  for (const { name, times, limit } of subjects) {
    const ratio = median(times) / base;
    const verdict = limit === undefined ? '' : `  limit ${limit}  ${ratio <= limit ? 'within' : 'EXCEEDED'}`;
    console.log(
      `${name.padEnd(18)}${median(times).toFixed(1).padStart(7)} ms  ${ratio.toFixed(2)}${verdict}`,
    );
  }
}

try {
  await makeServer();
  for (let run = -WARM_UP; run < runs; run += 1) for (const subject of subjects) measure(subject, run >= 0);
  report();
} finally {
  if (existsSync(pgRootdir)) spawnSync(process.execPath, [ktadmin, 'db', 'stop', '--pg-rootdir', pgRootdir]);
  rmSync(directory, { recursive: true, force: true });
}
