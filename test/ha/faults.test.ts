/** The faults of a pair in short; `npm run chaos:ha` is the long form, and docs/reliability.md has what it showed. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run, world } from '../support/sandbox.ts';

const script = join(import.meta.dirname, '..', '..', 'bench', 'ha-faults.mjs');

test('what was acknowledged is on both servers after each fault, and reads go on', async () => {
  const env = { TMPDIR: world.directory, KT_HA_NETWORK: process.env.KT_HA_NETWORK ?? '' };
  const done = await run(process.execPath, [script, '--rounds', '1', '--clients', '2', '--json'], { env });
  expect(done).toMatchObject({ status: 0 });
  const { broken, faults, puts, disabled } = JSON.parse(done.stdout) as Record<string, unknown>;
  expect({ broken, faults }).toEqual({
    broken: [],
    faults: {
      ...{ 'postgres-active': 1, 'postgres-passive': 1, 'server-active': 1, 'server-passive': 1 },
      ...{ link: 1, disk: 1, both: 1 },
    },
  });
  expect(puts).toBeGreaterThan(0);
  expect(disabled).toBe(7);
}, 400_000);
