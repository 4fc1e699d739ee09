/** How the tests run. They are started by scripts/test.mjs (`npm test`), which sees to it that all they need is there. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import manifest from './package.json' with { type: 'json' };
import ClosingLineReporter from './test/support/closing-line-reporter.ts';
import LongestFirst from './test/support/longest-first.ts';

/** `import text from './x.sql'` or `'./x.eta'` gives the file's text, as it does in the build. */
const filesAsText = {
  name: 'files-as-text',
  async load(id: string) {
    return /[.](?:sql|eta)$/.test(id)
      ? `export default ${JSON.stringify(await readFile(id, 'utf8'))};`
      : undefined;
  },
};

/** The tests of two hosts have a network of their own, with room for one pair of hosts: `npm run test:ha`. */
const isHa = process.env.KT_HA_NETWORK !== undefined;

/** The tests of a pair of servers take minutes, and run by themselves: `npm run test:pair`; or where one of them is named. */
const PAIR = 'test/commands/ha';
const isPair = process.env.KT_SUITE === 'pair';
const isNamed = process.argv.some((word) => word.includes(PAIR));

function choose(): { include: string[]; exclude: string[] } {
  if (isHa) return { include: ['test/ha/**/*.test.ts'], exclude: [] };
  if (isPair) return { include: [`${PAIR}/**/*.test.ts`], exclude: [] };
  return { include: ['test/**/*.test.ts'], exclude: ['test/ha/**', ...(isNamed ? [] : [`${PAIR}/**`])] };
}

export default defineConfig({
  plugins: [filesAsText],
  resolve: { alias: { 'ktadmin:key-worker': join(import.meta.dirname, 'dist/lib/key-worker.js') } },
  define: { __VERSION__: JSON.stringify(manifest.version), __COMMIT__: JSON.stringify('unknown') },
  test: {
    ...choose(),
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', new ClosingLineReporter()],
    // Nothing of the caller's own server may reach a test; an empty variable counts as none.
    env: { KEYTRUSTEE_CONFDIR: '', KTADMIN_USER: '', KTADMIN_HANDOVER: '', KTADMIN_KILL_AT: '' },
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
    // One more than there are processors: most of a test is waiting for programs to start and to end.
    maxWorkers: isHa ? 1 : availableParallelism() + 1,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
