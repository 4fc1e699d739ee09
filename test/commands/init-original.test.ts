import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshPlace } from '../support/fresh.ts';
import { hasGpg1, originalConfdir } from '../support/original.ts';
import { refusal, said } from '../support/refusal.ts';
import { checksums, isRoot, run, temporaryDirectory, world } from '../support/sandbox.ts';

test.skipIf(!hasGpg1)(
  'init makes no second identity in a directory of the original product (needs gnupg1)',
  async () => {
    const place = await freshPlace();
    const made = await originalConfdir(join(await temporaryDirectory(), 'original'));
    for (const left of ['keytrustee.conf', 'secring.gpg', 'private-keys-v1.d']) {
      await cp(made.path, place.confdir, { recursive: true });
      // A copy without its settings, one whose secret keys GnuPG 2 has moved, one as it was.
      if (left !== 'private-keys-v1.d') await run('rm', [join(place.confdir, left)]);
      else await run('gpg', ['--homedir', place.confdir, '--batch', '-K']);
      if (left === 'private-keys-v1.d') await run('gpgconf', ['--homedir', place.confdir, '--kill', 'all']);
      if (isRoot) await run('chown', ['-R', `${world.account.uid}:${world.account.gid}`, place.confdir]);
      const before = await checksums(place.directory);
      const names = await readdir(place.directory);
      const name = left === 'secring.gpg' ? 'pubring.gpg' : 'secring.gpg';
      expect(said(await place.init()), left).toEqual(
        refusal(
          6,
          `${place.confdir} is the original product's: its keys are in ${name}, in the form of GnuPG 1.x`,
          'move it away, and give its backup to ktadmin restore --unsigned (see MIGRATION in ktadmin(8))',
        ),
      );
      expect(await checksums(place.directory)).toBe(before);
      expect(await readdir(place.directory)).toEqual(names);
      await run('rm', ['-r', place.confdir]);
    }
  },
);
