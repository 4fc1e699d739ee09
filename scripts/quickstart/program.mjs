// The copy of the program that the quickstart runs.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const NAMES = ['ktadmin', 'keytrustee-orgtool', 'ktbackup', 'keytrustee'];

/**
 * The program under its names: a copy, which the server's account can read wherever the checkout lies. A Node that
 * cannot change its own identity (Debian 13's) starts it a second time as that account.
 */
export function installProgram(directory) {
  const bin = join(directory, 'bin');
  const program = join(directory, 'program');
  for (const part of ['bin', 'dist', 'package.json'].filter((name) => existsSync(join(top, name)))) {
    cpSync(join(top, part), join(program, part), { recursive: true });
  }
  execFileSync('chmod', ['-R', 'a+rX', program]);
  mkdirSync(bin, { mode: 0o755 });
  for (const name of NAMES) symlinkSync(join(program, 'bin', 'ktadmin.js'), join(bin, name));
  return bin;
}
