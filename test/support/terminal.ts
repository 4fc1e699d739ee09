import { spawn, spawnSync } from 'node:child_process';
import { baseEnvironment, type TestServer, until } from './sandbox.ts';

/** Whether a pseudo-terminal can be had here. */
export const hasTerminal = spawnSync('script', ['--version']).status === 0;

/** What is typed: wait until the screen shows a text, then type. */
export type Typing = [shown: string | RegExp, keys: string];

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/** Everything that a terminal showed, and how the program ended. */
export interface Screen {
  status: number | null;
  text: string;
}

/**
 * Runs a command on a pseudo-terminal of its own (util-linux's `script`), where stdin, stdout and stderr are all that
 * terminal unless `tail` redirects one of them.
 */
export async function onTerminal(
  words: string[],
  {
    typing = [],
    env = {},
    tail = '',
  }: { typing?: Typing[]; env?: Record<string, string>; tail?: string } = {},
): Promise<Screen> {
  const command = `${words.map(quote).join(' ')} ${tail}`;
  const child = spawn('script', ['-q', '-e', '-f', '-c', command, '/dev/null'], {
    env: { ...baseEnvironment(), SHELL: '/bin/sh', ...env },
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  let isOver = false;
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      isOver = true;
      resolve(status);
    });
  });
  for (const [shown, keys] of typing) {
    const appears = () => isOver || (typeof shown === 'string' ? text.includes(shown) : shown.test(text));
    await until(appears, `${shown} on a terminal`);
    child.stdin.write(keys);
  }
  return { status: await ended, text };
}

/** Runs `ktadmin` on a terminal for a server. */
export function ktadminOnTerminal(
  server: TestServer,
  args: string[],
  options: Parameters<typeof onTerminal>[1] = {},
): Promise<Screen> {
  const env = { KEYTRUSTEE_CONFDIR: server.confdir, ...options.env };
  return onTerminal(['ktadmin', ...args], { ...options, env });
}
