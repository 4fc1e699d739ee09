import { type Account, isRoot } from '../core/account.ts';
import { readConfiguration } from '../core/configuration.ts';
import { continueInAnotherProcess, type Handover, receiveHandover } from '../core/handover.ts';
import type { Library } from '../core/lazy.ts';
import { ownerOf } from '../core/ownership.ts';
import { canDropPrivileges, dropPrivileges } from '../core/privileges.ts';
import { refuseUnfinished } from '../core/unfinished.ts';
import type { Command, Context } from './command.ts';
import { sudoLine } from './sudo.ts';
import { hasColor, type Terminal } from './terminal.ts';

/**
 * Becomes the service account where root called, and says so: in this process, or, where this Node cannot, by going on in
 * another one, to which `handover` is given.
 */
export async function become(
  account: Account,
  terminal: Terminal,
  { libraries, ...handover }: Handover & { libraries?: Library[] | undefined } = {},
): Promise<void> {
  if (!isRoot()) return;
  if (!canDropPrivileges()) {
    terminal.notice(`Dropped privileges to ${account.name}`);
    await continueInAnotherProcess(account, handover);
  }
  // An error may yet have to be told in red.
  const needed =
    libraries !== undefined && hasColor(process.stderr, true) ? [...libraries, 'chalk' as const] : libraries;
  await dropPrivileges(account, needed);
  terminal.notice(`Dropped privileges to ${account.name}`);
}

/** Runs a command that needs a server: as its caller first, then as the owner of the configuration, with the settings. */
async function runOnServer(command: Command, values: never, context: Context): Promise<unknown> {
  if (command.run.needs !== 'settings') return undefined;
  const { confdir } = context.globals;
  const { terminal } = context;
  await refuseUnfinished(confdir);
  const account = await ownerOf(confdir, sudoLine);
  const handed = await receiveHandover();
  const prepare = () => command.asCaller?.(values, { account, confdir, terminal });
  const prepared = handed === undefined ? await prepare() : handed.prepared;
  await become(account, terminal, { libraries: command.libraries, prepared });
  const settings = { confdir, account, configuration: await readConfiguration(confdir) };
  return command.run.work(values, { ...context, settings }, prepared as never);
}

/** Runs a command with its values and prints its result. */
export async function execute(
  command: Command,
  values: Record<string, unknown>,
  context: Context,
): Promise<void> {
  const typed = values as never;
  const result =
    command.run.needs === 'nothing'
      ? await command.run.work(typed, context)
      : await (command.withoutServer?.(typed, context) ?? runOnServer(command, typed, context));
  if (result === undefined) return;
  if (context.globals.json) await context.terminal.write(`${JSON.stringify(result, null, 2)}\n`);
  else await command.print?.(result as never, context.terminal);
}
