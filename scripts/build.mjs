// Builds dist/ from src/: ES modules with shared chunks, so that a command loads only what it uses
// (hazard: hundreds of small files cost every start 30 ms and more).
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

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
};

const leaveOut = {
  name: 'leave-out',
  setup(build) {
    for (const [file, [from, to]] of Object.entries(shortcuts)) {
      const filter = new RegExp(`/node_modules/${file.replaceAll('.', '[.]')}$`);
      build.onLoad({ filter }, ({ path }) => {
        const text = readFileSync(path, 'utf8');
        if (!text.includes(from)) throw new Error(`${file} no longer has: ${from}`);
        return { contents: text.replace(from, to), loader: 'js' };
      });
    }
  },
};

const next = join(top, 'dist.next');
rmSync(next, { recursive: true, force: true });
await build({
  absWorkingDir: top,
  entryPoints: ['src/program.ts'],
  outdir: 'dist.next',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  minifySyntax: true,
  minifyWhitespace: true,
  loader: { '.sql': 'text' },
  // The migration library would load a compiler for migrations in TypeScript, which makes a directory in /tmp; ours are SQL.
  plugins: [leaveOut],
  alias: { jiti: './scripts/no-compiler.mjs' },
  external: ['pg-native', '@peculiar/x509', 'reflect-metadata'],
  define: { __VERSION__: JSON.stringify(version), __COMMIT__: JSON.stringify(commit()) },
  // Bundled CommonJS packages expect these names.
  banner: {
    js: [
      "import{createRequire as __createRequire}from'node:module';",
      "import{fileURLToPath as __toPath}from'node:url';",
      "import{dirname as __toDirectory}from'node:path';",
      'const require=__createRequire(import.meta.url);',
      'const __filename=__toPath(import.meta.url),__dirname=__toDirectory(__filename);',
    ].join(''),
  },
  logLevel: 'warning',
});
// A program that is running meanwhile finds the old build or the new one, never half of it.
const previous = join(top, 'dist.previous');
rmSync(previous, { recursive: true, force: true });
if (existsSync(join(top, 'dist'))) renameSync(join(top, 'dist'), previous);
renameSync(next, join(top, 'dist'));
rmSync(previous, { recursive: true, force: true });
