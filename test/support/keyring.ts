/** GnuPG keyrings of the service account with keys of every kind. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { asAccount, ownedDirectory, type RunOptions } from './sandbox.ts';

export interface Keyring {
  home: string;
  gpg(args: string[], options?: RunOptions): Promise<string>;
  /** Makes a key and returns its fingerprint. */
  make(name: string, choice?: KeyChoice): Promise<string>;
}

export interface KeyChoice {
  mail?: string;
  /** Lines of GnuPG's unattended key generation that say what kind of key it is. */
  kind?: string[];
  expires?: string;
  /** When it is made, as GnuPG's `--faked-system-time` has it. */
  madeAt?: string;
  passphrase?: string;
}

const CURVE = [
  'Key-Type: EDDSA',
  'Key-Curve: ed25519',
  'Key-Usage: sign',
  'Subkey-Type: ECDH',
  'Subkey-Curve: cv25519',
  'Subkey-Usage: encrypt',
];

/** A keyring in a new directory; its agent is ended when the test has ended. */
export async function keyring(parent: string, name = 'keyring'): Promise<Keyring> {
  const home = await ownedDirectory(parent, name);
  const gpg = async (args: string[], options: RunOptions = {}) => {
    const answer = await asAccount('gpg', ['--homedir', home, '--batch', '--no-tty', ...args], options);
    if (answer.status !== 0) throw new Error(`gpg ${args.join(' ')}: ${answer.stderr}`);
    return answer.stdout;
  };
  onTestFinished(async () => {
    await asAccount('gpgconf', ['--homedir', home, '--kill', 'all']);
  });
  const make = async (realName: string, choice: KeyChoice = {}) => {
    const { kind = CURVE, mail = '', expires = '0', madeAt, passphrase } = choice;
    const input = [
      passphrase === undefined ? '%no-protection' : `Passphrase: ${passphrase}`,
      ...kind,
      `Name-Real: ${realName}`,
      ...(mail === '' ? [] : [`Name-Email: ${mail}`]),
      `Expire-Date: ${expires}`,
      '%commit\n',
    ];
    const text = input.toSorted(
      (a, b) => Number(b.startsWith('Key-Type')) - Number(a.startsWith('Key-Type')),
    );
    const time = madeAt === undefined ? [] : ['--faked-system-time', madeAt];
    const options = [...time, '--pinentry-mode', 'loopback', '--status-fd', '1', '--gen-key'];
    const said = await gpg(options, { input: text.join('\n') });
    const fingerprint = /KEY_CREATED . ([0-9A-F]{40})/.exec(said)?.[1];
    if (fingerprint === undefined) throw new Error(said);
    return fingerprint;
  };
  return { home, gpg, make };
}

/** Revokes a key with the certificate that GnuPG made with it. */
export async function revoke(ring: Keyring, fingerprint: string): Promise<void> {
  const text = await readFile(join(ring.home, 'openpgp-revocs.d', `${fingerprint}.rev`), 'utf8');
  const path = join(ring.home, 'revoke.asc');
  await writeFile(path, text.replace(/^:-----BEGIN/m, '-----BEGIN'), { mode: 0o644 });
  await ring.gpg(['--import', path]);
}
