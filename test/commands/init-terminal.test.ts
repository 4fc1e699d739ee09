/** `ktadmin init` on a terminal. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshPlace, placeWithKey } from '../support/fresh.ts';
import { allEnded, descendants, processesAt } from '../support/processes.ts';
import { isRoot, until, world } from '../support/sandbox.ts';
import { noTmux, onTerminal } from '../support/tmux.ts';

async function keyIsBeingMade(confdir: string): Promise<boolean> {
  const running = (await processesAt(confdir)).map((line) => descendants(Number.parseInt(line, 10)));
  return (await Promise.all(running)).flat().some(({ words }) => words.includes('--generate-key'));
}

const QUESTION = 'Name by which clients reach this server';

test.skipIf(noTmux)(
  'on a terminal init asks for the name, refuses a wrong one, and takes what is typed',
  async () => {
    const { confdir } = await placeWithKey();
    const screen = await onTerminal(['ktadmin', 'init', '--confdir', confdir]);
    await screen.shows(QUESTION);
    await screen.type('not a name', 'Enter');
    await screen.shows('"not a name" is not a host name');
    await screen.type(...Array.from({ length: 10 }, () => 'BSpace'), 'kts07.example.com', 'Enter');
    expect(await screen.status()).toBe(0);
    await screen.shows(/Initialized directory for 4096R\/[0-9A-F]{40}$/);
    expect(JSON.parse(await readFile(join(confdir, 'keytrustee.conf'), 'utf8'))).toMatchObject({
      EXTERNAL_ADDRESS: 'kts07.example.com',
    });
  },
);

test.skipIf(noTmux)('Ctrl-C at the question ends init with 130, and nothing has been made', async () => {
  const { directory, confdir } = await freshPlace();
  const screen = await onTerminal(['ktadmin', 'init', '--confdir', confdir]);
  await screen.shows(QUESTION);
  await screen.type('C-c');
  expect(await screen.status()).toBe(130);
  await screen.shows('ktadmin: error: interrupted by SIGINT');
  expect(await readdir(directory)).toEqual([]);
});

test.skipIf(noTmux)(
  'Ctrl-C while the key is made ends init with 130, and nothing of the key is left',
  async () => {
    const { confdir } = await freshPlace();
    const screen = await onTerminal([
      'ktadmin',
      'init',
      '--confdir',
      confdir,
      '--external-address',
      'a.example.com',
    ]);
    await screen.shows("making the server's OpenPGP key");
    await until(() => keyIsBeingMade(confdir), 'gpg runs');
    await screen.type('C-c');
    expect(await screen.status()).toBe(130);
    await screen.shows('ktadmin: error: interrupted by SIGINT');
    expect(await readdir(confdir)).toEqual([]);
    await allEnded(confdir);
  },
);

test.skipIf(noTmux)('with --no-input init does not ask on a terminal either', async () => {
  const { confdir } = await placeWithKey();
  const screen = await onTerminal(['ktadmin', 'init', '--no-input', '--confdir', confdir]);
  expect(await screen.status()).toBe(0);
  await screen.shows('Initialized directory for');
  const shown = await screen.text();
  expect(shown).not.toContain(QUESTION);
  expect(shown.split('\n')).toEqual([
    ...(isRoot ? [`Dropped privileges to ${world.account.name}`] : []),
    'INFO:keytrustee.server.util:Creating self-signed cert',
    expect.stringMatching(/^Initialized directory for 4096R\//),
  ]);
});

test.skipIf(noTmux)('a second init does not ask, because the name is known', async () => {
  const { confdir, init } = await placeWithKey();
  expect(await init()).toMatchObject({ status: 0 });
  const screen = await onTerminal(['ktadmin', 'init', '--confdir', confdir]);
  expect(await screen.status()).toBe(0);
  expect(await screen.text()).not.toContain(QUESTION);
});
