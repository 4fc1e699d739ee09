/** What package.json and package-lock.json promise: checked offline, so that no registry has to be asked. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';

interface LockedPackage {
  version?: string;
  integrity?: string;
  resolved?: string;
  engines?: { node?: string };
  os?: string[];
  hasInstallScript?: boolean;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

const top = join(import.meta.dirname, '..');
const manifest = JSON.parse(await readFile(join(top, 'package.json'), 'utf8')) as LockedPackage;
const lock = JSON.parse(await readFile(join(top, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, LockedPackage>;
};
const { '': root, ...packages } = lock.packages;
const locked = Object.entries(packages);

// The lockfile has it anyway, for the tools that read versions; it needs no line of its own in package.json.
const semver = createRequire(import.meta.url)('semver') as {
  satisfies(version: string, range: string): boolean;
};

const supportedNodes = ['20.19.0', '22.13.0', '24.0.0'];
/** Versions below these have known holes that matter here. */
const safe = { openpgp: '>=6.1.1', tar: '>=7.5.19' };
const mayHaveInstallScript = ['esbuild'];

test('direct dependencies are pinned to one version', () => {
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  const direct = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies });
  expect(direct.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test('the lock is the lock of this package.json', () => {
  expect(root?.dependencies).toEqual(manifest.dependencies);
  expect(root?.devDependencies).toEqual(manifest.devDependencies);
  expect(root?.optionalDependencies).toEqual(manifest.optionalDependencies);
});

test('the lock names no registry host', () => {
  expect(locked.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
});

test('the lock has every package, so that npm ci accepts it (else: node scripts/complete-lockfile.mjs)', () => {
  const wanted = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !resolves(path, name)),
  );
  expect(wanted).toEqual([]);
});

test('every package has its checksum, but for those of other platforms', () => {
  const without = locked.filter(([, { integrity, os }]) => integrity === undefined && os === undefined);
  expect(without.map(([path]) => path)).toEqual([]);
});

test.each(supportedNodes)('every package runs on Node %s', (version) => {
  const refusing = locked.filter(
    ([, { engines }]) => engines?.node && !semver.satisfies(version, engines.node),
  );
  expect(refusing.map(([path, { engines }]) => `${path} ${engines?.node}`)).toEqual([]);
});

test('only known packages have install scripts', () => {
  const scripted = locked
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => nameOf(path));
  expect(scripted.filter((name) => !mayHaveInstallScript.includes(name))).toEqual([]);
});

test.each(Object.entries(safe))('every copy of %s is %s', (name, range) => {
  const copies = locked.filter(([path]) => nameOf(path) === name).map(([, { version = '' }]) => version);
  expect(copies).not.toEqual([]);
  expect(copies.filter((version) => !semver.satisfies(version, range))).toEqual([]);
});

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/** Looks where Node would: inside the package that asks, then in each node_modules above it. */
function resolves(path: string, name: string): boolean {
  if (packages[`${path === '' ? '' : `${path}/`}node_modules/${name}`]) return true;
  return path !== '' && resolves(path.slice(0, Math.max(0, path.lastIndexOf('/node_modules/'))), name);
}
