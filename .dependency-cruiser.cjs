/**
 * The floors of the house: a file imports from its own folder or from a lower floor; two folders of one floor never
 * import each other; no circles. test/architecture.test.ts runs these rules on src/ and proves that each of them bites.
 * A new folder below src/lib is given its floor here.
 */
const floors = [
  ['core'],
  ['database', 'gpg', 'tls', 'mail', 'hsm', 'archive'],
  [
    'organizations',
    'client',
    'clients',
    'deposits',
    'backups',
    'certificates',
    'replication',
    'health',
    'notices',
    'setup',
    'audit',
  ],
  ['terminal', 'server'],
].map((folders) => `^src/lib/(${folders.join('|')})/`);

const commands = '^src/commands/';
const registry = '^src/registry[.]ts$';
const program = '^src/program[.]ts$';
const types = '^src/.+[.]d[.]ts$';

/** Lowest first. What stands later may import what stands earlier, never the other way round. */
const storeys = [...floors, commands, registry, program];

const upward = storeys.slice(0, -1).map((path, level) => ({
  name: 'no-import-from-above',
  comment: 'A lower floor does not know the floors above it.',
  severity: 'error',
  from: { path },
  to: { path: storeys.slice(level + 1) },
}));

const sideways = floors.map((path) => ({
  name: 'no-import-sideways',
  comment: 'Two folders of one floor do not know each other: what they share moves down.',
  severity: 'error',
  from: { path },
  to: { path, pathNot: '^src/lib/$1/' },
}));

module.exports = {
  forbidden: [
    ...upward,
    ...sideways,
    {
      name: 'no-import-between-commands',
      comment: 'A command imports other commands only from its own folder.',
      severity: 'error',
      from: { path: '^src/commands/([^/]+)/' },
      to: { path: commands, pathNot: '^src/commands/$1/' },
    },
    {
      name: 'no-import-between-commands',
      comment: 'A command without a folder imports none that has one.',
      severity: 'error',
      from: { path: '^src/commands/[^/]+$' },
      to: { path: '^src/commands/[^/]+/' },
    },
    {
      name: 'commands-load-through-registry',
      comment:
        'Only the registry names commands, and only by import(), so that a command loads when it runs.',
      severity: 'error',
      from: { path: program },
      to: { path: commands },
    },
    {
      name: 'commands-load-late',
      comment: 'The registry loads a command by import(), or names its types: a command loads when it runs.',
      severity: 'error',
      from: { path: registry },
      to: { path: commands, dependencyTypesNot: ['dynamic-import', 'type-only'] },
    },
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'every-folder-has-a-floor',
      comment: 'A file below src/ that these rules do not know would escape them: give its folder a floor.',
      severity: 'error',
      from: { path: '^src/', pathNot: [...storeys, types] },
      to: {},
    },
    {
      name: 'every-folder-has-a-floor',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: [...storeys, types] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'] },
  },
};
