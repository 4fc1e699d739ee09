// `npm test`: makes the checkout ready, then runs vitest with the arguments it was given (`npm test -- test/lib -t name`).
// Its exit status is vitest's; standard input is not passed on, so that no test can wait for a person.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { follow } from './follow.mjs';
import { setupOrExplain } from './setup.mjs';

if (await setupOrExplain('test')) {
  follow(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)], {
    cwd: dirname(dirname(fileURLToPath(import.meta.url))),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}
