/** The chaos run in short; `npm run chaos` is the long form, and docs/reliability.md has what it showed. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { certifyLocalhost } from './support/keytrustee.ts';
import { run, testServer, world } from './support/sandbox.ts';

const script = join(import.meta.dirname, '..', 'bench', 'chaos.mjs');

test('what was acknowledged outlives kill -9, and nobody is served who was stopped', async () => {
  const server = await testServer();
  await certifyLocalhost(server);
  const place = ['--confdir', server.confdir, '--bin', world.bin];
  const env = { TMPDIR: server.directory };
  const done = await run(process.execPath, [script, '--rounds', '2', '--json', ...place], { env });
  const { broken, rounds, puts } = JSON.parse(done.stdout) as {
    broken: string[];
    rounds: number;
    puts: number;
  };
  expect({ broken, rounds, status: done.status }).toEqual({ broken: [], rounds: 2, status: 0 });
  expect(puts).toBeGreaterThan(0);
}, 180_000);
