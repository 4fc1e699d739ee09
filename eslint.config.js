/**
 * What Biome cannot check: rules that need types, and the law of the house (design: who may read the environment,
 * start a process, print, exit). Formatting and all other rules are Biome's.
 */
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const only = {
  environment: 'src/lib/core/config.ts',
  processes: ['src/lib/core/process.ts', 'src/lib/core/daemon.ts'],
  loading: 'src/lib/core/lazy.ts',
  printing: ['src/commands/**', 'src/lib/terminal/**', 'src/program.ts'],
};

const environment = {
  object: 'process',
  property: 'env',
  message: `Only ${only.environment} reads the environment.`,
};
const exits = ['exit', 'reallyExit', 'abort'].map((property) => ({
  object: 'process',
  property,
  message: 'Set process.exitCode in src/program.ts and return: exiting cuts off what is still being written.',
}));

const starters = ['node:child_process', 'child_process', 'execa'];
const startsProcess = `Only ${only.processes.join(' and ')} start a process.`;
const staticImports = [
  ...starters.map((name) => ({ name, message: startsProcess, allowTypeImports: true })),
  ...['node:process', 'process'].map((name) => ({ name, message: 'Use the global process.' })),
];
const lateImports = [
  `ImportExpression[source.value=/^(${starters.join('|')})$/]`,
  'CallExpression[callee.name="load"][arguments.0.value="execa"]',
].map((selector) => ({ selector, message: startsProcess }));
/** Whether a stream is a terminal may be asked anywhere; the stream itself is for those who print. */
const writing = {
  selector:
    ':not(MemberExpression[property.name=/^(isTTY|columns)$/]) > MemberExpression[object.name="process"][property.name=/^std(out|err)$/]',
  message: 'Only src/commands, src/lib/terminal and src/program.ts print.',
};

export default defineConfig(
  {
    files: ['src/**/*.ts', 'test/**/*.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-base-to-string': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-properties': ['error', environment, ...exits],
      'no-restricted-syntax': ['error', ...lateImports, writing],
      '@typescript-eslint/no-restricted-imports': ['error', { paths: staticImports }],
    },
  },
  { files: [only.environment], rules: { 'no-restricted-properties': ['error', ...exits] } },
  {
    files: [...only.processes, only.loading],
    rules: { 'no-restricted-syntax': ['error', writing], '@typescript-eslint/no-restricted-imports': 'off' },
  },
  // The second signal ends the program at once.
  { files: ['src/program.ts'], rules: { 'no-restricted-properties': ['error', environment] } },
  { files: only.printing, rules: { 'no-console': 'off', 'no-restricted-syntax': ['error', ...lateImports] } },
);
