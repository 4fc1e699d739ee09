// `npm run quickstart [-- --keep]`: the main job on this machine, from nothing to a restored server, through the real
// program: a server is made, backed up with encryption, lost and restored, and then compared with what it was. Everything
// lies in a directory of its own, which is gone afterwards, whatever happened. Plain Node: runs before anything is installed.
//
//   --keep      leave the directory for trying things, and say how to remove it
//   --no-setup  install and build nothing; the checkout is ready
//
// Exit status: 0 passed, 1 failed, 2 wrong usage, 3 something is not installed and may not be, 128+n ended by signal n.
import { readFileSync, rmSync } from 'node:fs';
import { describeKept } from './quickstart/kept.mjs';
import { withPlace } from './quickstart/place.mjs';
import { checkSame, takeStock } from './quickstart/stock.mjs';
import { paint, seconds } from './quickstart/text.mjs';
import { setupOrExplain } from './setup.mjs';

const HOST = 'localhost';
const SECRET = 'the passphrase of a disk';
const ADMINISTRATOR = 'Key Administrator <ka@example.com>';
const RECIPIENT = 'ka@example.com';
const options = new Set(process.argv.slice(2));

/** The story, step by step. What a step learns for later ones it puts into `notes`. */
const story = [
  [
    'Make the server: configuration, OpenPGP key, TLS pair, database cluster',
    async (place, notes) => {
      const ports = ['--port', place.ports[0], '--database-port', place.ports[1]];
      const made = await place.run(['ktadmin', 'init', '--external-address', HOST, ...ports, ...place.user]);
      notes.fingerprint = /^Initialized directory for (\d+R\/[0-9A-F]{40})$/m.exec(made.toString())?.[1];
      if (notes.fingerprint === undefined) throw new Error('init did not say which fingerprint it made');
    },
  ],
  ['Start its database', (place) => place.run(['ktadmin', 'db', 'start'])],
  [
    'Add two organizations, and give one a new authorization code',
    async (place) => {
      const orgtool = (...words) => place.run(['keytrustee-orgtool', ...words]);
      await orgtool('add', '-n', 'disaster-recov', '-c', 'finn@example.com,jake@example.com');
      await orgtool('add', '-n', 'prod', '-c', 'root@localhost');
      await orgtool('set-auth', '-n', 'prod', '--generate');
    },
  ],
  ['Serve clients over HTTPS', (place) => place.serve()],
  [
    'As a machine: register with the organization’s code, and keep a key, which is encrypted before it leaves',
    async (place) => {
      const code = await place.run(['keytrustee-orgtool', 'set-auth', '-n', 'prod', '--generate', '--quiet']);
      const server = ['--server', `https://${HOST}:${place.ports[0]}`, '--ca-file', place.certificate()];
      await place.run(['keytrustee', 'register', ...server, '--org', 'prod', '--auth-stdin'], {
        input: code,
      });
      await place.run(['keytrustee', 'put', '--handle', 'disk1'], { input: SECRET });
    },
  ],
  [
    'Make a key pair for the key administrator, who alone will be able to read the backup',
    async (place) => {
      const gpg = ['gpg', '--homedir', place.administrator, '--batch'];
      const unprotected = ['--pinentry-mode', 'loopback', '--passphrase', ''];
      await place.run([...gpg, '--quiet', ...unprotected, '--quick-generate-key', ADMINISTRATOR]);
      await place.run([...gpg, '--armor', '--output', place.publicKey, '--export', RECIPIENT]);
    },
  ],
  [
    'Import its public half into the keyring that ktbackup looks in',
    (place) =>
      place.run(['gpg', '--homedir', place.keyring, '--batch', '--quiet', '--import', place.publicKey], {
        asAccount: true,
      }),
  ],
  [
    'Note what there is, and take an encrypted backup',
    async (place, notes) => {
      notes.before = await takeStock(place);
      const command = ['ktbackup', `--gpg-recipient=${RECIPIENT}`, '--quiet', `--output=${place.backups}`];
      const printed = await place.run(command, { variables: { GNUPGHOME: place.keyring } });
      notes.set = printed.toString().trim();
      const isClear = readFileSync(notes.set).includes('keytrustee.conf');
      if (isClear || !notes.set.endsWith('.tar.gpg')) throw new Error(`${notes.set} is not encrypted`);
    },
  ],
  [
    'Lose everything: the configuration directory and the database',
    async (place) => {
      await place.stopServing();
      await place.run(['ktadmin', 'db', 'stop']);
      for (const directory of [place.confdir, place.pgRootdir]) {
        place.show(['rm', '-r', directory]);
        rmSync(directory, { recursive: true });
      }
    },
  ],
  [
    'Restore it from the backup, with the key of the key administrator',
    (place, notes) =>
      place.run([
        ...['ktadmin', 'restore', notes.set, '--gnupg-home', place.administrator, '--yes'],
        ...place.user,
      ]),
  ],
  [
    'Compare with what there was',
    async (place, notes) => {
      for (const line of checkSame(notes, await takeStock(place))) place.say(`    ${line}`);
    },
  ],
  [
    'As the machine: get the key back',
    async (place) => {
      await place.serve();
      const got = await place.run(['keytrustee', 'get', 'disk1']);
      if (got.toString() !== SECRET) throw new Error('the key that came back is not the one that was kept');
      place.say('    the key is the same');
      await place.stopServing();
    },
  ],
  ['Stop the database', (place) => place.run(['ktadmin', 'db', 'stop'])],
];

/** Tells the story; the error of a step gets the step's number and title. */
async function tell(place) {
  const notes = {};
  for (const [index, [title, work]] of story.entries()) {
    const began = performance.now();
    place.say(`\n${paint('bold', `[${index + 1}/${story.length}] ${title}`)}`);
    try {
      await work(place, notes);
      place.checkSignal();
    } catch (error) {
      throw Object.assign(error, { step: `step ${index + 1} (${title})` });
    }
    place.say(`    ${paint('green', 'done')} in ${seconds(began)}`);
  }
}

/** Prints the verdict, always the last line, and sets the exit status. */
function conclude(began, error) {
  if (error === undefined) {
    const proof = 'the key, organizations, secrets and fingerprint are the same after the restore';
    console.log(`\nquickstart: ${paint('green', 'PASSED')} in ${seconds(began)}: ${proof}`);
    return;
  }
  const where = error.step === undefined ? '' : ` at ${error.step}`;
  const how = error.signal === undefined ? 'FAILED' : 'INTERRUPTED';
  console.log(`\nquickstart: ${paint('red', how)} after ${seconds(began)}${where}: ${error.message}`);
  process.exitCode = error.exitStatus ?? 1;
}

async function main() {
  const began = performance.now();
  const ready = options.has('--no-setup') || (await setupOrExplain('runtime'));
  if (!ready) {
    console.log('quickstart: FAILED: what is missing is said above');
    return;
  }
  const keep = options.has('--keep');
  const failure = await withPlace(keep, tell).then(
    (place) => {
      if (keep) console.log(describeKept(place));
    },
    (error) => {
      if (keep && error.place) console.log(describeKept(error.place));
      return error;
    },
  );
  conclude(began, failure);
}

// A reader that goes away (`| head`) is no reason to leave things behind.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
if ([...options].every((option) => option === '--keep' || option === '--no-setup')) {
  await main();
} else {
  console.error('usage: npm run quickstart [-- --keep]');
  process.exitCode = 2;
}
