/** Rotations under load in short; `npm run rotations` is the long form, and docs/certificates.md has what it showed. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run, testServer, world } from '../../support/sandbox.ts';

const script = join(import.meta.dirname, '..', '..', '..', 'bench', 'rotations.mjs');

test('certificates are exchanged under load: no request fails, and every new connection sees the new one', async () => {
  const server = await testServer();
  const place = ['--confdir', server.confdir, '--bin', world.bin];
  const env = { TMPDIR: server.directory };
  const words = [script, '--rotations', '6', '--json', ...place];
  const done = await run(process.execPath, words, { env });
  const { failures, recorded, requests, newAlone } = JSON.parse(done.stdout) as Record<string, unknown>;
  expect({ failures, recorded, status: done.status }).toEqual({ failures: [], recorded: 6, status: 0 });
  expect(requests).toBeGreaterThan(50);
  // Eight after each rotation, at least.
  expect(newAlone).toBeGreaterThanOrEqual(48);
}, 120_000);
