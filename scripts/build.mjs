// Builds dist/ from src/: one file of our own code, whose commands are set up when they are asked for, and beside it the
// libraries that are loaded late (hazard: hundreds of small files cost every start 30 ms and more). CommonJS, because
// Node's loader of ES modules alone takes a fifth of the time of an empty program; docs/performance.md has the figures.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import typescript from 'typescript';
import { renderManuals } from './man.mjs';

const { ScriptTarget, transpileDeclaration } = typescript;
const top = dirname(dirname(fileURLToPath(import.meta.url)));
const next = join(top, 'dist.next');
const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));

function commit() {
  try {
    const options = { cwd: top, stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' };
    return execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], options).trim();
  } catch {
    return 'unknown';
  }
}

/** The thread's program is one text, which the main program reads before it drops privileges and cannot read it anymore. */
const KEY_WORKER = 'ktadmin:key-worker';

/** Packages that src/lib/core/lazy.ts imports late become files of their own, `lib/pg.js`; they are collected here. */
const libraries = {};
const lateLibraries = (here) => ({
  name: 'late-libraries',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, pluginData }) => {
      if (kind !== 'dynamic-import' || pluginData === 'found') return undefined;
      if (path === KEY_WORKER) return { path: `${here}lib/key-worker.js`, external: true };
      const name = path.replace(/^@/, '').replaceAll('/', '-');
      libraries[name] = (await build.resolve(path, { kind, resolveDir, pluginData: 'found' })).path;
      return { path: `${here}lib/${name}.js`, external: true };
    });
  },
});

/** Writes what a compiler needs to know of the library: the entry's declarations, and those that it names. */
function declareTypes(entry, types) {
  for (const name of [entry, types]) {
    const fileName = join(top, 'src', 'lib', 'client', `${name}.ts`);
    const compilerOptions = { declaration: true, isolatedDeclarations: true, target: ScriptTarget.ES2023 };
    const { outputText, diagnostics } = transpileDeclaration(readFileSync(fileName, 'utf8'), {
      fileName,
      compilerOptions,
      reportDiagnostics: true,
    });
    if (diagnostics.length > 0) throw new Error(diagnostics.map(({ messageText }) => messageText).join('\n'));
    const file = name === entry ? entry : `${entry}-${types}`;
    writeFileSync(
      join(next, `${file}.d.ts`),
      outputText.replaceAll(`'./${types}.ts'`, `'./${entry}-${types}.js'`),
    );
  }
}

const shared = {
  absWorkingDir: top,
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  minifySyntax: true,
  minifyWhitespace: true,
  loader: { '.sql': 'text', '.eta': 'text' },
  // The migration library would load a compiler for migrations in TypeScript, which makes a directory in /tmp; ours are SQL.
  // The job queue would read and run whatever configuration lies in the working directory.
  alias: { jiti: './scripts/no-compiler.mjs', cosmiconfig: './scripts/no-configuration.mjs' },
  external: ['pg-native'],
  define: {
    __VERSION__: JSON.stringify(version),
    __COMMIT__: JSON.stringify(commit()),
    'import.meta.url': '__url',
  },
  banner: { js: "const __url=require('node:url').pathToFileURL(__filename).href;" },
  supported: { 'dynamic-import': false },
  logLevel: 'warning',
};

rmSync(next, { recursive: true, force: true });
await build({ ...shared, entryPoints: ['src/program.ts'], outdir: next, plugins: [lateLibraries('./')] });
// The library that programs import, `ktadmin/client`.
await build({
  ...shared,
  entryPoints: ['src/lib/client/client.ts'],
  outdir: next,
  plugins: [lateLibraries('./')],
});
declareTypes('client', 'types');
await build({
  ...shared,
  entryPoints: ['bench/seed-deposits.ts'],
  outdir: join(next, 'bench'),
  plugins: [lateLibraries('../')],
});
// To find out whether it runs at Cloudflare, pg makes a `Response` where there is no `navigator`, as in Node 20; that
// loads Node's whole HTTP client (20 ms).
const navigator = JSON.stringify({ userAgent: 'Node.js' });
const define = { ...shared.define, navigator };
await build({
  ...shared,
  define,
  entryPoints: libraries,
  outdir: join(next, 'lib'),
  minifyIdentifiers: true,
});
const worker = await build({
  ...shared,
  entryPoints: ['src/lib/gpg/key-worker.ts'],
  banner: { js: "const __url='file:///';" },
  write: false,
  minifyIdentifiers: true,
});
const source = JSON.stringify(worker.outputFiles[0].text);
writeFileSync(join(next, 'lib/key-worker.js'), `exports.source = ${source};\n`);
writeFileSync(join(next, 'package.json'), '{ "type": "commonjs" }\n');
await renderManuals(join(next, 'man'));
// A program that is running meanwhile finds the old build or the new one, never half of it.
const previous = join(top, 'dist.previous');
rmSync(previous, { recursive: true, force: true });
if (existsSync(join(top, 'dist'))) renameSync(join(top, 'dist'), previous);
renameSync(next, join(top, 'dist'));
rmSync(previous, { recursive: true, force: true });
