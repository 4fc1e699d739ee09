import { type Account, isRoot } from '../core/account.ts';
import { readConfiguration, type Settings } from '../core/configuration.ts';
import { ownerOf } from '../core/ownership.ts';
import { dropPrivileges } from '../core/privileges.ts';
import type { Command, Context } from './command.ts';
import { sudoLine } from './sudo.ts';
import type { Terminal } from './terminal.ts';

/** Becomes the service account where root called, and says so. */
export async function become(account: Account, terminal: Terminal): Promise<void> {
  if (!isRoot()) return;
  await dropPrivileges(account);
  terminal.notice(`Dropped privileges to ${account.name}`);
}

/** Finds the owner of the configuration directory, becomes it, and reads the configuration. */
async function openSettings(
  context: Context,
  asCaller?: (owner: { account: Account; confdir: string }) => Promise<void>,
): Promise<Settings> {
  const { confdir } = context.globals;
  const account = await ownerOf(confdir, sudoLine);
  await asCaller?.({ account, confdir });
  await become(account, context.terminal);
  return { confdir, account, configuration: await readConfiguration(confdir) };
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
      : await command.run.work(typed, {
          ...context,
          settings: await openSettings(
            context,
            (owner) => command.asCaller?.(typed, owner) ?? Promise.resolve(),
          ),
        });
  if (result === undefined) return;
  if (context.globals.json) await context.terminal.write(`${JSON.stringify(result, null, 2)}\n`);
  else await command.print?.(result as never, context.terminal);
}
