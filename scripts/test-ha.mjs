// `npm run test:ha`: the tests of two hosts, below test/ha, one file after the other, on a network of their own; what stands
// behind `--` goes to vitest. They make network namespaces, which only root may.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inOwnNetwork, networkEnvironment } from '../bench/ha-hosts/network.mjs';
import { follow } from './follow.mjs';
import { setupOrExplain } from './setup.mjs';

if (process.getuid() !== 0) {
  console.error('test:ha: skipped, because only root may make network namespaces: sudo npm run test:ha');
  console.log('0 passed, 0 failed');
} else if (await setupOrExplain('test')) {
  const vitest = [process.execPath, 'node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)];
  const [program, ...args] = inOwnNetwork(vitest);
  follow(program, args, {
    cwd: dirname(dirname(fileURLToPath(import.meta.url))),
    stdio: ['ignore', 'inherit', 'inherit'],
    env: networkEnvironment(),
  });
}
