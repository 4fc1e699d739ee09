import { once } from 'node:events';
import { failure } from '../core/errors.ts';
import { interrupt, interruption } from '../core/interrupt.ts';
import { load } from '../core/lazy.ts';
import type { PasswordSource } from '../tls/material.ts';
import type { Terminal } from './terminal.ts';

/** Prompts are drawn on stderr, so that stdout stays data; an interruption ends them. */
const context = () => ({ output: process.stderr, signal: interruption, clearPromptOnDone: false });

/** Rejects when nothing can happen any more: the terminal was closed by Ctrl-D, and the prompt waits for ever. */
async function closed(): Promise<never> {
  await once(process, 'beforeExit');
  throw failure('failed', 'no answer was given, and nothing was changed');
}

async function asked<T>(prompt: Promise<T>): Promise<T> {
  try {
    return await Promise.race([prompt, closed()]);
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    if (name === 'ExitPromptError' || name === 'AbortPromptError') throw interrupt('SIGINT');
    throw error;
  }
}

/** Asks whether to go on. Where nobody can be asked, it fails and names the option that answers. */
export async function confirm(terminal: Terminal, question: string, answeredBy: string): Promise<boolean> {
  if (!terminal.canAsk) {
    throw failure(
      'usage',
      'this asks before it changes anything, and there is no terminal to ask on',
      `to go on without being asked, add ${answeredBy}`,
    );
  }
  const { confirm: ask } = await load('inquirer');
  return asked(ask({ message: question, default: false }, context()));
}

/** What is wrong with an answer, as a prompt wants to know it. */
function judge(check: (text: string) => string): (text: string) => true | string {
  return (text) => {
    try {
      check(text);
      return true;
    } catch (error) {
      return (error as Error).message;
    }
  };
}

/** Asks for a text; `check` throws what is wrong with it. */
export async function askText(
  question: string,
  proposal: string,
  check: (text: string) => string,
): Promise<string> {
  const { input } = await load('inquirer');
  return asked(input({ message: question, default: proposal, validate: judge(check) }, context()));
}

/** Tells what will be lost and asks for its name, so that nobody loses it by a slip. */
export async function confirmByName(terminal: Terminal, loss: string, name: string): Promise<boolean> {
  if (!terminal.canAsk) {
    throw failure(
      'usage',
      'this asks before it changes anything, and there is no terminal to ask on',
      'to go on without being asked, add --yes',
    );
  }
  const { input } = await load('inquirer');
  terminal.warn(loss);
  return (await asked(input({ message: `Type ${name} to go on:` }, context()))).trim() === name;
}

/** How often a password is asked for that turns out to be wrong. */
const ATTEMPTS = 3;

/** What asks for the password of a private key, again where it is wrong; undefined where nobody can be asked. */
export function passwordPrompt(terminal: Terminal): PasswordSource | undefined {
  if (!terminal.canAsk) return undefined;
  return async (path, opens) => {
    for (let attempt = 1; ; attempt += 1) {
      const password = await askSecret(`Password of the private key in ${path}`, (text) => text);
      // The last one is judged by whoever opens the file.
      if (attempt === ATTEMPTS || (await opens(password))) return password;
      terminal.warn('it does not open with that password');
    }
  };
}

/** Asks for a secret without showing it; `check` throws what is wrong with it. */
export async function askSecret(question: string, check: (text: string) => string): Promise<string> {
  const { password } = await load('inquirer');
  return asked(password({ message: question, mask: true, validate: judge(check) }, context()));
}
