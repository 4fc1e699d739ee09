import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withPrivateHome } from '../../../src/lib/gpg/temporary.ts';
import { processesAt } from '../../support/processes.ts';

test('defect: an agent that had no socket yet stayed for a minute when GnuPG was interrupted', async () => {
  let home = '';
  const cutOff = withPrivateHome(async (directory) => {
    home = directory;
    execFileSync('gpg-agent', ['--homedir', home, '--daemon'], { stdio: 'ignore' });
    const [agent = ''] = await processesAt(home);
    // It cannot notice that its home goes.
    process.kill(Number.parseInt(agent, 10), 'SIGSTOP');
    rmSync(join(home, 'S.gpg-agent'), { force: true });
    throw new Error('interrupted');
  });
  await expect(cutOff).rejects.toThrow('interrupted');
  expect(await processesAt(home)).toEqual([]);
  expect(existsSync(home)).toBe(false);
});
