/** `ktadmin db start --foreground` beside a test, as a service manager keeps it. */
import { expect } from 'vitest';
import { type Outcome, type TestServer, until } from './sandbox.ts';

/** A program that keeps PostgreSQL in the foreground. */
export interface Keeper {
  ended: Promise<Outcome>;
  kill(signal: NodeJS.Signals): void;
}

/** Keeps a server in the foreground, and waits until that says so. */
export async function inForeground(server: TestServer, word = 'PostgreSQL runs on port'): Promise<Keeper> {
  let kill = (_: NodeJS.Signals) => false;
  let words = '';
  const ended = server.ktadmin(['db', 'start', '--foreground'], {
    started: (child) => (kill = child.kill),
    heard: (stderr) => (words = stderr),
  });
  await until(() => words.includes(word), 'it says that the server runs');
  expect(await server.ktadmin(['db', 'status'])).toMatchObject({ status: 0 });
  return { ended, kill: (signal) => void kill(signal) };
}

/** The same for a server that runs already. */
export const takeOver = (server: TestServer) =>
  inForeground(server, 'PostgreSQL was running already on port');

/** Ends a program that keeps a server, which has to end with it. */
export async function endForeground(server: TestServer, { ended, kill }: Keeper): Promise<void> {
  kill('SIGTERM');
  expect(await ended).toMatchObject({ status: 0 });
  expect(await server.ktadmin(['db', 'status'])).toMatchObject({ status: 3 });
}
