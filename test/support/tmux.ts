/** A real terminal with a program in it. */
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { baseEnvironment, run, temporaryDirectory, until } from './sandbox.ts';

/** Why a test on a terminal cannot run here, or an empty text. */
export const noTmux = spawnSync('tmux', ['-V']).status === 0 ? '' : 'tmux is not installed';

/** A program on a terminal. */
export interface Screen {
  /** What is to be seen. */
  text(): Promise<string>;
  /** Waits until the screen shows a text. */
  shows(text: string | RegExp): Promise<void>;
  /** Types keys by tmux's names: `C-c`, `Enter`, or text. */
  type(...keys: string[]): Promise<void>;
  /** The exit status, once the program has ended. */
  status(): Promise<number>;
}

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/** Starts a program on a terminal of its own; the terminal is closed when the test has ended. */
export async function onTerminal(words: string[], env: Record<string, string> = {}): Promise<Screen> {
  const directory = await temporaryDirectory();
  const socket = join(directory, 'tmux');
  const statusFile = join(directory, 'status');
  const script = join(directory, 'script');
  const variables = Object.entries({ ...baseEnvironment(), ...env }).map(
    ([name, value]) => `${name}=${value}`,
  );
  const command = ['env', '-i', ...variables, ...words].map(quote).join(' ');
  await writeFile(
    script,
    `trap : INT; cd /; ${command}; echo $? > ${statusFile}.new; mv ${statusFile}.new ${statusFile}\n`,
  );
  const tmux = (...args: string[]) => run('tmux', ['-S', socket, '-f', '/dev/null', ...args]);
  onTestFinished(async () => void (await tmux('kill-server')));
  // The shells must outlive a Ctrl-C that is typed at the program.
  const shell = ['new-session', '-d', '-x', '140', '-y', '50', `trap : INT; sh ${script}; exec sleep 600`];
  const started = await tmux(...shell);
  if (started.status !== 0) throw new Error(started.stderr);
  const text = async () => (await tmux('capture-pane', '-p', '-J')).stdout.trimEnd();
  const ended = async () => (await readFile(statusFile, 'utf8').catch(() => '')).trim();
  return {
    text,
    shows: (wanted) =>
      until(
        async () => {
          const shown = await text();
          return typeof wanted === 'string' ? shown.includes(wanted) : wanted.test(shown);
        },
        `the screen shows ${String(wanted)}`,
      ),
    // A semicolon at a word's end would end tmux's own command.
    type: async (...keys) => void (await tmux('send-keys', ...keys.map((key) => key.replace(/;$/, '\\;')))),
    status: async () => {
      await until(async () => (await ended()) !== '', 'the program ends');
      return Number(await ended());
    },
  };
}
