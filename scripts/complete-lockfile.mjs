// Completes package-lock.json after `npm install`: adds the entries of packages for other platforms (a macOS binary of
// the formatter, say) that a registry mirror did not offer when the lock was made. npm leaves those out without a word,
// and then `npm ci` refuses the lock on every machine. An added entry has the exact version its parent asks for.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const lock = JSON.parse(readFileSync(file, 'utf8'));
const before = Object.keys(lock.packages).length;

for (const [path, { dev, optionalDependencies = {} }] of Object.entries({ ...lock.packages })) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (isLocked(path, name)) continue;
    if (!/^\d+\.\d+\.\d+$/.test(version))
      throw new Error(`${path}: ${name}@${version} is missing and not an exact version`);
    lock.packages[`node_modules/${name}`] = entry(name, version, dev);
  }
}
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')),
);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${Object.keys(lock.packages).length - before} entries added to package-lock.json`);

/** Looks where Node would: beside the package that asks, then in each node_modules above it. */
function isLocked(path, name) {
  if (lock.packages[`${path}${path === '' ? '' : '/'}node_modules/${name}`]) return true;
  return path !== '' && isLocked(path.slice(0, Math.max(0, path.lastIndexOf('/node_modules/'))), name);
}

/** The entry in npm's own order; the platform as such packages write it into their names: `@biomejs/cli-linux-x64-musl`. */
function entry(name, version, dev) {
  const words = name.split(/[/-]/);
  const pick = (...known) => known.filter((word) => words.includes(word));
  const os = pick(
    'aix',
    'android',
    'darwin',
    'freebsd',
    'linux',
    'netbsd',
    'openbsd',
    'openharmony',
    'sunos',
    'win32',
  );
  const cpu = pick('arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64');
  if (os.length === 0 || cpu.length === 0)
    throw new Error(`${name} is missing, and its name does not say its platform`);
  const libc = pick('musl').concat(words.includes('gnu') ? 'glibc' : []);
  return { version, cpu, ...(dev && { dev }), ...(libc.length > 0 && { libc }), optional: true, os };
}
