import { configurationOrigins } from '../../lib/core/configuration.ts';
import { withoutPassword } from '../../lib/core/database-url.ts';
import { command, flag } from '../../lib/terminal/command.ts';
import { table } from '../../lib/terminal/table.ts';

/** `config show`: what `keytrustee.conf` says, with the defaults that fill it up. */
export default command({
  options: { origin: flag('--origin', 'say of each value whether it stands in the file or is the default') },
  examples: ['ktadmin config show', 'ktadmin config show --origin'],
  async run({ origin }, { settings }): Promise<Record<string, unknown>> {
    const { confdir, configuration } = settings;
    const urls = configuration.DATABASE_URLS?.map(withoutPassword);
    const shown = urls === undefined ? configuration : { ...configuration, DATABASE_URLS: urls };
    return origin ? configurationOrigins(confdir, shown) : shown;
  },
  async print(shown, terminal) {
    const rows = Object.entries(shown).map(([key, value]) => [key, ...cells(value)]);
    await terminal.write(table(['setting', 'value', 'origin'].slice(0, rows[0]?.length), rows));
  },
});

function cells(shown: unknown): string[] {
  if (typeof shown !== 'object' || shown === null) return [String(shown)];
  const { value, origin } = shown as { value: unknown; origin: string };
  return [String(value), origin];
}
