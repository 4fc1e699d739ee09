/** The floors of the house (.dependency-cruiser.cjs), held on src/ and tried out on small trees that break them. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cruise, type IConfiguration, type ICruiseResult } from 'dependency-cruiser';
import { afterEach, expect, test } from 'vitest';

const top = dirname(import.meta.dirname);
const rules = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as IConfiguration;
const trees: string[] = [];

afterEach(async () => {
  for (const tree of trees.splice(0)) await rm(tree, { recursive: true });
});

test('src keeps the rules', async () => {
  expect(await violationsIn(top)).toEqual([]);
});

test('a tree that keeps the rules has no violation', async () => {
  const tree = await plant({
    'src/program.ts': `import './registry.ts'; import './lib/terminal/a.ts';`,
    'src/registry.ts': `export const load = () => import('./commands/orgtool/add.ts');`,
    'src/commands/orgtool/add.ts': `import './shared.ts'; import '../../lib/terminal/a.ts';`,
    'src/commands/orgtool/shared.ts': `import '../../lib/clients/a.ts'; import '../../lib/core/a.ts';`,
    'src/lib/terminal/a.ts': `import './b.ts'; import { x } from '../core/a.ts'; export const y = x;`,
    'src/lib/terminal/b.ts': '',
    'src/lib/clients/a.ts': `import text from '../database/migrations/1.sql'; export default text;`,
    'src/lib/database/migrations/1.sql': 'select 1;',
    'src/lib/core/a.ts': 'export const x = 1;',
    'src/lib/text.d.ts': `declare module '*.sql';`,
  });
  expect(await violationsIn(tree)).toEqual([]);
});

test.each([
  ['core knows a tool', 'lib/core/a.ts', 'lib/gpg/b.ts', 'no-import-from-above'],
  ['a tool knows a domain', 'lib/database/a.ts', 'lib/clients/b.ts', 'no-import-from-above'],
  ['a domain knows the terminal', 'lib/backups/a.ts', 'lib/terminal/b.ts', 'no-import-from-above'],
  ['the server knows a command', 'lib/server/a.ts', 'commands/serve.ts', 'no-import-from-above'],
  ['a command knows the registry', 'commands/init.ts', 'registry.ts', 'no-import-from-above'],
  ['the registry knows the program', 'registry.ts', 'program.ts', 'no-import-from-above'],
  ['tool beside tool', 'lib/gpg/a.ts', 'lib/tls/b.ts', 'no-import-sideways'],
  ['domain beside domain', 'lib/audit/a.ts', 'lib/clients/b.ts', 'no-import-sideways'],
  ['terminal beside server', 'lib/terminal/a.ts', 'lib/server/b.ts', 'no-import-sideways'],
  [
    'command folder beside folder',
    'commands/db/start.ts',
    'commands/cert/show.ts',
    'no-import-between-commands',
  ],
  [
    'command folder to the one above',
    'commands/db/start.ts',
    'commands/init.ts',
    'no-import-between-commands',
  ],
  ['command above to a folder', 'commands/init.ts', 'commands/db/start.ts', 'no-import-between-commands'],
  ['the program knows a command', 'program.ts', 'commands/init.ts', 'commands-load-through-registry'],
  ['the registry loads a command at start', 'registry.ts', 'commands/init.ts', 'commands-load-late'],
  ['a folder without a floor imports', 'lib/misc/a.ts', 'lib/core/b.ts', 'every-folder-has-a-floor'],
  ['a folder without a floor is imported', 'lib/core/a.ts', 'helpers/b.ts', 'every-folder-has-a-floor'],
])('%s: refused', async (_what, from, to, rule) => {
  const path = `./${'../'.repeat(from.split('/').length - 1)}${to}`;
  const value = await plant({ [`src/${from}`]: `import '${path}';`, [`src/${to}`]: 'export const x = 1;' });
  expect(await violationsIn(value)).toEqual([`${rule}: src/${from} → src/${to}`]);
  const type = await plant({
    [`src/${from}`]: `import type { X } from '${path}'; export type Y = X;`,
    [`src/${to}`]: 'export type X = 1;',
  });
  const allowed = rule === 'commands-load-late';
  expect(await violationsIn(type)).toEqual(allowed ? [] : [`${rule}: src/${from} → src/${to}`]);
});

test('a circle: refused', async () => {
  const tree = await plant({
    'src/lib/core/a.ts': `import './b.ts';`,
    'src/lib/core/b.ts': `export const late = () => import('./c.ts');`,
    'src/lib/core/c.ts': `import type { A } from './a.ts'; export type C = A;`,
  });
  expect(await violationsIn(tree)).toEqual(['no-circles: src/lib/core/a.ts → src/lib/core/b.ts']);
});

/** Writes a small source tree into a temporary directory; it is removed after the test. */
async function plant(files: Record<string, string>): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), 'ktadmin-architecture-'));
  trees.push(tree);
  for (const [file, text] of Object.entries({ ...files, 'tsconfig.json': '{}' })) {
    await mkdir(dirname(join(tree, file)), { recursive: true });
    await writeFile(join(tree, file), text);
  }
  return tree;
}

/** The broken rules as `rule: from → to`. */
async function violationsIn(tree: string): Promise<string[]> {
  const options = {
    ...rules.options,
    baseDir: tree,
    validate: true,
    ruleSet: { forbidden: rules.forbidden ?? [] },
  };
  const { output } = await cruise(['src'], options);
  const { summary, modules } = output as ICruiseResult;
  expect(modules.length).toBeGreaterThan(0);
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
}
