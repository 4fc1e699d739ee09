/** `npm run quickstart`, without its set-up: that `npm test` has done. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import { digestsBelow } from '../scripts/quickstart/stock.mjs';

const top = join(import.meta.dirname, '..');
const isRoot = process.getuid?.() === 0;
const steps = 13;
/** Keys are made in each run, which takes its time where other tests are at work too. Milliseconds. */
vi.setConfig({ testTimeout: 240_000 });
const trees: string[] = [];

afterAll(async () => {
  for (const tree of trees) await rm(tree, { recursive: true });
});

interface Told {
  status: number | null;
  stdout: string;
  stderr: string;
  lastLine: string;
  directory: string;
  account: string;
}

interface Manner {
  from?: string;
  env?: Record<string, string>;
  /** A line of output at which a signal is sent. */
  signalAt?: [string, NodeJS.Signals];
}

async function quickstart(args: string[], { from = top, env = {}, signalAt }: Manner = {}): Promise<Told> {
  return told(process.execPath, [join(from, 'scripts', 'quickstart.mjs'), ...args], env, signalAt);
}

async function told(
  file: string,
  args: string[],
  env: Record<string, string>,
  signalAt?: Manner['signalAt'],
): Promise<Told> {
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  let isSent = false;
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (signalAt === undefined || isSent || !stdout.includes(signalAt[0])) return;
    isSent = true;
    setTimeout(() => child.kill(signalAt[1]), 100);
  });
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const [, directory = '', account = ''] = /restored below (\S+), as (\S+)\./.exec(stdout) ?? [];
  return { status, stdout, stderr, lastLine: stdout.trimEnd().split('\n').at(-1) ?? '', directory, account };
}

/** Everything that a run left on the machine: files, processes, its account. */
function leftovers({ directory, account }: Told): string[] {
  const processes = readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory);
    } catch {
      return false;
    }
  });
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .filter((line) => isRoot && account.startsWith('ktq-') && line.startsWith(`${account}:`));
  return [...(existsSync(directory) ? [directory] : []), ...processes, ...accounts];
}

function expectPassed(run: Told): void {
  expect(run.stderr).toBe('');
  expect(run.lastLine).toMatch(
    /^quickstart: PASSED in [\d.]+ s: the key, organizations, secrets and fingerprint are/,
  );
  expect(run.status).toBe(0);
  expect(run.stdout).not.toContain('\x1b');
  for (let step = 1; step <= steps; step += 1) expect(run.stdout).toContain(`\n[${step}/${steps}] `);
  expect(run.stdout.match(/^ {4}done in [\d.]+ s$/gm)).toHaveLength(steps);
  expect(run.stdout).toContain('organizations and secrets: 2, ');
}

test('two at once pass; one leaves nothing, the other what --keep promises', async () => {
  const [plain, kept] = await Promise.all([
    quickstart(['--no-setup']),
    quickstart(['--no-setup', '--keep'], { env: { KEYTRUSTEE_CONFDIR: '/nowhere', GNUPGHOME: '/nowhere' } }),
  ]);
  expectPassed(plain);
  expect(leftovers(plain)).toEqual([]);
  expectPassed(kept);
  expect(leftovers(kept)).toEqual(isRoot ? [kept.directory, expect.any(String)] : [kept.directory]);

  const [, tries = '', removal = ''] =
    /To try things:\n([\s\S]*)To remove all of it:\n([\s\S]*)\n\nquickstart:/.exec(kept.stdout) ?? [];
  const remove = () => told('sh', ['-ec', `PATH=${kept.directory}/bin:$PATH\n${removal}`], {});
  onTestFinished(async () => {
    if (leftovers(kept).length > 0) await remove();
  });
  const first = '"$(ls -d $& | head -n 1)" --yes';
  const trying = await told(
    'bash',
    ['-ec', tries.replace(/\S+\/FILE/, first).replace('/FILE', '/*.gpg')],
    {},
  );
  expect(trying).toMatchObject({ status: 0, stdout: expect.stringContaining('Restored ') });
  const removing = await remove();
  expect(removing).toMatchObject({ status: 0 });
  expect(leftovers(kept)).toEqual([]);
});

test('defect: a lock that GnuPG held while stock was taken was missed after the restore', async () => {
  const tree = await mkdtemp(join(tmpdir(), 'ktq-tree-'));
  trees.push(tree);
  await mkdir(join(tree, 'gnupg'));
  for (const name of ['.#lk0x00005623f5b729f0.host.22128', 'pubring.kbx.lock', 'pubring.kbx'])
    await writeFile(join(tree, 'gnupg', name), name);
  expect([...digestsBelow(tree).keys()]).toEqual(['gnupg/pubring.kbx']);
});

test('a restore that is not the same fails, and leaves nothing', async () => {
  const tree = await mkdtemp(join(tmpdir(), 'ktq-tree-'));
  trees.push(tree);
  await cp(join(top, 'scripts'), join(tree, 'scripts'), { recursive: true });
  await writeFile(join(tree, 'package.json'), '{"type":"module"}');
  await cp(join(top, 'bin'), join(tree, 'bin'), { recursive: true });
  await writeFile(join(tree, 'bin', 'ktadmin.js'), SABOTEUR);
  const run = await quickstart(['--no-setup'], { from: tree });
  expect(run.stderr).toBe('');
  expect(run.lastLine).toMatch(
    /^quickstart: FAILED after [\d.]+ s at step 11 \(Compare with what there was\): not the same after the restore: /,
  );
  expect(run.lastLine).toContain('organizations or secrets differ');
  expect(run.lastLine).toMatch(/the fingerprint was (4096R\/[0-9A-F]{40}), then \1, and is 4096R\/0{40}/);
  expect(run.lastLine).toContain('; gpg.conf is missing');
  expect(run.lastLine).toContain('; logging.conf differs');
  expect(run.status).toBe(1);
  expect(leftovers(run)).toEqual([]);
});

/** The program, but what it restores is not what was backed up. */
const SABOTEUR = `
const { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { main } = require(${JSON.stringify(join(top, 'dist', 'program.js'))});
const confdir = process.env.KEYTRUSTEE_CONFDIR;
const mark = confdir + '.sabotaged';
const write = process.stdout.write.bind(process.stdout);
if (process.argv.includes('list') && existsSync(mark))
  process.stdout.write = (text, ...rest) => write(text.replace(/"auth_secret": "./, '"auth_secret": "!'), ...rest);
main().then(() => {
  if (!process.argv.includes('restore')) return;
  const file = confdir + '/keytrustee.conf';
  writeFileSync(file, readFileSync(file, 'utf8').replace(/4096R\\/\\w+/, '4096R/' + '0'.repeat(40)));
  appendFileSync(confdir + '/logging.conf', 'x');
  rmSync(confdir + '/gpg.conf');
  writeFileSync(mark, '');
});
`;

test.each([
  ['[1/13]', 'SIGINT', 130],
  ['[10/13]', 'SIGTERM', 143],
] as const)('a signal at step %s ends it with %s, and nothing is left', async (line, signal, status) => {
  const run = await quickstart(['--no-setup'], { signalAt: [line, signal] });
  expect(run.lastLine).toMatch(
    /^quickstart: INTERRUPTED after [\d.]+ s at step \d+ \(.*\): SIG(?:INT|TERM)$/,
  );
  expect(run.status).toBe(status);
  expect(leftovers(run)).toEqual([]);
});

test('without PostgreSQL it says so, does nothing and ends with 3', async () => {
  const run = await quickstart([], { env: { PG_BINDIR: '/nowhere' } });
  expect(run.stderr).toContain('setup: PG_BINDIR is /nowhere, which lacks initdb');
  expect(run.stdout).toBe('quickstart: FAILED: what is missing is said above\n');
  expect(run.status).toBe(3);
});

test('an option that it does not have is wrong usage', async () => {
  const run = await quickstart(['--kepp']);
  expect(run).toMatchObject({
    status: 2,
    stdout: '',
    stderr: 'usage: npm run quickstart [-- --keep]\n',
  });
});
