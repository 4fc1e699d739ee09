/** The library as a program gets it: packed, unpacked beside the program, imported, and compiled against its types. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const top = join(import.meta.dirname, '..', '..', '..');
let project = '';

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'ktadmin-library-'));
  const words = ['pack', '--silent', '--ignore-scripts', '--pack-destination', project];
  execFileSync('npm', words, { cwd: top, env: { ...process.env, npm_config_cache: join(project, 'cache') } });
  const [packed = ''] = (await readdir(project)).filter((name) => name.endsWith('.tgz'));
  await mkdir(join(project, 'node_modules', 'ktadmin'), { recursive: true });
  const place = ['-C', join(project, 'node_modules', 'ktadmin'), '--strip-components=1'];
  execFileSync('tar', ['-xzf', join(project, packed), ...place]);
});

afterAll(() => rm(project, { recursive: true, force: true }));

const node = (args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8' });
  return { status, stdout, stderr };
};

const USE = `
const told = await openClient({ home: '/nowhere' }).catch(({ name, code, hint }) => ({ name, code, hint }));
console.log(JSON.stringify(told));`;
const TOLD =
  '{"name":"KeyTrusteeError","code":"state","hint":"keytrustee register makes it known to a server"}\n';

test('a program imports the packed library, as an ES module and as CommonJS, with nothing else installed', async () => {
  await writeFile(join(project, 'use.mjs'), `import { openClient } from 'ktadmin/client';${USE}`);
  await writeFile(
    join(project, 'use.cjs'),
    `const { openClient } = require('ktadmin/client'); (async () => {${USE}})();`,
  );
  expect(node(['use.mjs'])).toEqual({ status: 0, stdout: TOLD, stderr: '' });
  expect(node(['use.cjs'])).toEqual({ status: 0, stdout: TOLD, stderr: '' });
});

test('a compiler knows the types of the packed library', async () => {
  const good = `import { type ClientError, openClient, registerClient } from 'ktadmin/client';
const { state } = await registerClient({ server: 'https://kts01', organization: 'prod', code: 'x' });
export const isActive: boolean = state === 'active';
const client = await openClient({ timeout: 1000 });
const { id, expires } = await client.put(new Uint8Array(1), { handle: 'a', ttl: 60 });
const { content } = await client.get(id);
export const size: number = content.length + (expires ?? '').length;
export const told = (error: ClientError) => [error.code, error.hint ?? ''].join();
client.close();`;
  const options = { strict: true, noEmit: true, target: 'es2022', module: 'nodenext', types: [] };
  await writeFile(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: options, files: ['a.mts'] }),
  );
  const compile = () => node([join(top, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.']);
  await writeFile(join(project, 'a.mts'), good);
  expect(compile()).toEqual({ status: 0, stdout: '', stderr: '' });
  await writeFile(join(project, 'a.mts'), good.replace('ttl: 60', 'tll: 60'));
  expect(compile()).toMatchObject({ status: 2, stdout: expect.stringContaining("'tll' does not exist") });
});
