// Builds dist/ from src/: a few files, so that a command loads only what it uses and does not load it piecemeal
// (hazard: hundreds of small files cost every start 30 ms and more; docs/performance.md has the figures).
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';
import { renderManuals } from './man.mjs';

const top = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));

function commit() {
  try {
    const options = { cwd: top, stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' };
    return execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], options).trim();
  } catch {
    return 'unknown';
  }
}

/**
 * What two libraries do at start and this program never needs: each line was found by profiling (docs/performance.md).
 * A text that is not found any more ends the build, so that an update of a library cannot undo it unnoticed.
 */
const shortcuts = {
  // To find out whether it runs at Cloudflare, pg touches `Response`, which loads Node's whole HTTP client (20 ms).
  'pg/lib/stream.js': ['if (isCloudflareRuntime())', 'if (false)'],
  // Commander can start subcommands as programs; ours never does.
  'commander/lib/command.js': ["require('node:child_process')", '{}'],
  // Node's cryptography is for passwords over TCP; ours are connections over a socket, which have none.
  'pg/lib/client.js': [
    "const crypto = require('./crypto/utils')",
    "const crypto = new Proxy({}, { get: (_, name) => require('./crypto/utils')[name] })",
  ],
  'pg/lib/connection-parameters.js': [
    "const dns = require('dns')",
    "const dns = new Proxy({}, { get: (_, name) => require('dns')[name] })",
  ],
  'pg/lib/crypto/sasl.js': [
    "const crypto = require('./utils')",
    "const crypto = new Proxy({}, { get: (_, name) => require('./utils')[name] })",
  ],
};

/** The parser comes into a file of our own and is shortened; our own code keeps its names, for the sake of stacks. */
const SHORTENED = /\/node_modules\/commander\//;

const leaveOut = {
  name: 'leave-out',
  setup(build) {
    build.onLoad({ filter: /\/node_modules\/.*\.js$/ }, async ({ path }) => {
      const [, [from, to] = ['', '']] =
        Object.entries(shortcuts).find(([file]) => path.endsWith(`/${file}`)) ?? [];
      if (from === '' && !SHORTENED.test(path)) return undefined;
      const text = readFileSync(path, 'utf8');
      if (!text.includes(from)) throw new Error(`${path} no longer has: ${from}`);
      const contents = text.replace(from, to);
      return {
        contents: SHORTENED.test(path) ? (await transform(contents, { minify: true })).code : contents,
      };
    });
  },
};

/** Libraries that are loaded late become files of their own: `lib/pg.js`. */
const libraries = {};
const lateLibraries = (here) => ({
  name: 'late-libraries',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, pluginData }) => {
      if (kind !== 'dynamic-import' || pluginData === 'inner' || external.includes(path)) return undefined;
      if (path.startsWith('commands-')) return undefined;
      const found = await build.resolve(path, { kind, resolveDir, pluginData: 'inner' });
      const name = path.replace(/^@/, '').replaceAll('/', '-');
      libraries[`lib/${name}`] = path === 'pg' ? join(top, 'scripts', 'pg-client.mjs') : found.path;
      return { path: `${here}lib/${name}.js`, external: true };
    });
  },
});

/**
 * The commands become two files, those of existing automation and all others, in which each is set up when it is asked
 * for: reading twenty small files costs a start more than reading over some code that does not run.
 */
const groupOf = (name) => (/\/orgtool\/|\/execute[.]ts$/.test(name) ? 'commands-orgtool' : 'commands-others');
const LATE_IMPORT = /import\('([.][^']+)'\)/g;
const importers = ['src/registry.ts', 'src/lib/terminal/run.ts'].map((file) => join(top, file));
const nameOf = (importer, from) => join(dirname(importer), from).slice(top.length);
const fewFilesOfCommands = {
  name: 'few-files-of-commands',
  setup(build) {
    const late = (path) =>
      [...readFileSync(path, 'utf8').matchAll(LATE_IMPORT)].map((found) => nameOf(path, found[1]));
    const names = importers.flatMap(late);
    const entry = (name) => `${JSON.stringify(name)}:()=>require(".${name}")`;
    build.onLoad({ filter: /\/src\/(?:registry|lib\/terminal\/run)[.]ts$/ }, ({ path }) => {
      const load = (_, from) => {
        const name = nameOf(path, from);
        return `import('${groupOf(name)}').then((all)=>all.load[${JSON.stringify(name)}]())`;
      };
      return { contents: readFileSync(path, 'utf8').replace(LATE_IMPORT, load), loader: 'ts' };
    });
    build.onResolve({ filter: /^commands-\w+$/ }, ({ path }) => ({ path, namespace: 'commands' }));
    build.onLoad({ filter: /.*/, namespace: 'commands' }, ({ path }) => ({
      contents: `export const load={${names
        .filter((name) => groupOf(name) === path)
        .map(entry)
        .join(',')}}`,
      resolveDir: top,
    }));
  },
};

/**
 * Turns what was built into CommonJS: Node sets up its loader of ES modules before the first of them can run, and that
 * alone takes a fifth of the time of an empty program. esbuild splits only ES modules, hence this second step.
 */
async function toCommonJs() {
  writeFileSync(join(next, 'package.json'), '{ "type": "commonjs" }\n');
  for (const file of readdirSync(next, { recursive: true }).filter((name) => name.endsWith('.js'))) {
    const path = join(next, file);
    const options = {
      format: 'cjs',
      platform: 'node',
      target: TARGET,
      supported: { 'dynamic-import': false },
    };
    const { code } = await transform(readFileSync(path, 'utf8'), { ...options, minifyWhitespace: true });
    const url = code.includes('__url')
      ? "const __url=require('node:url').pathToFileURL(__filename).href;"
      : '';
    writeFileSync(path, url + code);
  }
}

const TARGET = 'node20.19';
const external = ['pg-native'];
const next = join(top, 'dist.next');
rmSync(next, { recursive: true, force: true });
const shared = {
  absWorkingDir: top,
  outdir: 'dist.next',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: TARGET,
  minifySyntax: true,
  minifyWhitespace: true,
  loader: { '.sql': 'text' },
  // The migration library would load a compiler for migrations in TypeScript, which makes a directory in /tmp; ours are SQL.
  alias: { jiti: './scripts/no-compiler.mjs' },
  external,
  define: {
    __VERSION__: JSON.stringify(version),
    __COMMIT__: JSON.stringify(commit()),
    'import.meta.url': '__url',
  },
  logLevel: 'warning',
};
await build({
  ...shared,
  entryPoints: ['src/program.ts'],
  plugins: [fewFilesOfCommands, lateLibraries('./'), leaveOut],
});
await build({
  ...shared,
  entryPoints: ['bench/seed-deposits.ts'],
  outdir: 'dist.next/bench',
  splitting: false,
  plugins: [lateLibraries('../'), leaveOut],
});
await build({
  ...shared,
  entryPoints: libraries,
  splitting: false,
  format: 'cjs',
  minifyIdentifiers: true,
  plugins: [leaveOut],
});
await toCommonJs();
await renderManuals(join(next, 'man'));
// A program that is running meanwhile finds the old build or the new one, never half of it.
const previous = join(top, 'dist.previous');
rmSync(previous, { recursive: true, force: true });
if (existsSync(join(top, 'dist'))) renameSync(join(top, 'dist'), previous);
renameSync(next, join(top, 'dist'));
rmSync(previous, { recursive: true, force: true });
