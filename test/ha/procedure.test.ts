/** The documented procedure, from two hosts with nothing on them to a pair that serves. */
import { expect, test } from 'vitest';
import { copyConfiguration } from '../../bench/ha-hosts/ready.mjs';
import { type Host, sharedHosts } from '../support/hosts.ts';
import { certificateOf, machineOf } from '../support/hosts-machine.ts';
import { type Outcome, withoutDrop } from '../support/sandbox.ts';
import { ask } from '../support/serving.ts';

const pair = sharedHosts();

/** What an administrator sees of a command that ended well. */
function seen({ status, stdout, stderr }: Outcome): { stdout: string; stderr: string } {
  expect({ status, stderr }).toEqual({ status: 0, stderr });
  return { stdout, stderr: withoutDrop(stderr) };
}

const fingerprintOf = async ({ name }: Host) => (await ask(11371, '/?a=fingerprint', { host: name })).body;

test('on the active: init, db start, serve', async () => {
  const { kt01 } = pair;
  const { stdout } = seen(await kt01.ktadmin(['init']));
  expect(stdout).toMatch(/^Initialized directory for 4096R\/[0-9A-F]{40}$/m);
  seen(await kt01.ktadmin(['db', 'start']));
  await kt01.serve();
});

test('on the passive: rsync of the configuration, init, join; on the active again: sync on', async () => {
  const { kt01, kt02 } = pair;
  await copyConfiguration(kt01, kt02);
  const initialized = seen(await kt02.ktadmin(['init'])).stdout;
  expect(initialized).toMatch(
    new RegExp(`^Initialized directory for ${(await fingerprintOf(kt01)).trim()}$`, 'm'),
  );
  expect(await certificateOf(kt02)).not.toBe(await certificateOf(kt01));
  expect(seen(await kt02.ktadmin(['ha', 'join', '--active', 'kt01.example.com'])).stdout).toBe(
    'passive: follows kt01.example.com\n',
  );
  expect(seen(await kt01.ktadmin(['ha', 'sync', 'on'])).stdout).toBe(
    'synchronous: a change counts once kt02.example.com has applied it\n',
  );
  await kt02.serve();
});

test('both serve, with the same fingerprint, and each with a certificate of its own name', async () => {
  const { kt01, kt02 } = pair;
  const [one, other] = await Promise.all([fingerprintOf(kt01), fingerprintOf(kt02)]);
  expect(one).toMatch(/^4096R\/[0-9A-F]{40}/);
  expect(other).toBe(one);
});

test('what is put on the active is fetched from the passive at once', async () => {
  const { kt01, kt02 } = pair;
  const keytrustee = await machineOf(kt01, kt02);
  seen(await keytrustee(['put', '--handle', 'disk-1', '-'], 'the key of a disk'));
  await kt01.kill9('server');
  expect(seen(await keytrustee(['get', 'disk-1'])).stdout).toBe('the key of a disk');
});
