import type { KeyObject, X509Certificate } from 'node:crypto';
import { currentAccount } from '../core/account.ts';
import { failure } from '../core/errors.ts';
import { type Protocol, secureOptions } from '../tls/context.ts';
import type { Fault } from '../tls/fault.ts';
import type { PasswordSource } from '../tls/material.ts';
import { recognize } from '../tls/material.ts';
import { type PairFiles, readPair } from '../tls/pair.ts';
import { assemble, type Candidate, type Given } from './candidate.ts';
import type { Contents } from './generation.ts';
import type { Told } from './journal.ts';
import { placeFaults, placesOf } from './place.ts';
import { isSame } from './settings.ts';
import type { Site, Wanted } from './site.ts';
import { toldOf } from './told.ts';

/** What is to be put to use, and how. */
export interface Wish {
  given: Given;
  place: Told['place'];
  origin: Told['origin'];
  protocol: Protocol;
  /** The command that prints the password of that key from now on, and the password; without one, a key that is copied has none. */
  lockFor(key: KeyObject): { script: string; password(): Promise<string> } | undefined;
  /** Where the password of a key that is locked comes from. */
  password: PasswordSource | undefined;
  /** What is to be said of how it is to be used. */
  warnings: string[];
  /** Keys that are there already, for a certificate that comes without one. */
  spareKeys: KeyObject[];
  /** What is removed from the store once a pair with that key is in use. */
  consumes(key: KeyObject): string | null;
}

/** What was given, opened and found good. */
export interface Examined {
  candidate: Candidate;
  own: X509Certificate;
  warnings: string[];
}

/** Faults as an error lists them. */
export function faultLines(faults: Pick<Fault, 'message' | 'hint'>[]): string[] {
  return faults.map(({ message, hint }) => `  ${message}\n    ${hint}`);
}

/** Refuses what could not be used, and says everything that is wrong with it. */
function refuseFaults(faults: Fault[]): void {
  if (faults.length === 0) return;
  const list = faultLines(faults).join('\n');
  throw Object.assign(failure('untrusted', `the certificate cannot be used:\n${list}`), { faults });
}

/** Looks at what was given. */
export async function examine({ host }: Pick<Site, 'host'>, wish: Wish): Promise<Examined> {
  const { given, protocol, password, spareKeys } = wish;
  const { candidate, faults, warnings } = await assemble(given, { host, protocol, password, spareKeys });
  const placed = wish.place === 'in-place' ? await placeFaults(placesOf(given), currentAccount()) : [];
  refuseFaults([...placed, ...faults]);
  const own = candidate?.chain[0];
  if (candidate !== undefined && own !== undefined)
    return { candidate, own, warnings: [...warnings.map(({ message }) => message), ...wish.warnings] };
  throw failure('untrusted', `there is no private key for ${given.certificate.path}`, 'add --key FILE');
}

/** The files that are to be used where they lie; none where they are copied. */
export function namedInPlace({ place, given: { certificate, key, authorities } }: Wish): Partial<PairFiles> {
  if (place !== 'in-place') return {};
  return {
    SSL_CERTIFICATE: certificate.path,
    SSL_PRIVATE_KEY: key?.path,
    SSL_CA_CERTIFICATE: authorities?.path,
  } as Partial<PairFiles>;
}

/** What is written of a pair: the certificate alone, its authorities, and the key, with a password where a script prints one. */
async function contentsOf({ chain, key }: Candidate, wish: Wish): Promise<Contents> {
  const [own, ...authorities] = chain.map(String);
  const passphrase = await wish.lockFor(key)?.password();
  const lock = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  return {
    SSL_CERTIFICATE: own,
    SSL_PRIVATE_KEY: key.export({ type: 'pkcs8', format: 'pem', ...lock }),
    SSL_CA_CERTIFICATE: authorities.length === 0 ? undefined : authorities.join(''),
  };
}

const materialOf = (data: string | undefined) => recognize(Buffer.from(data ?? '', 'base64'));

/** The settings by which files are used where they lie. The server reads nothing but PEM. */
function settingsInPlace(wish: Wish, { key: opened }: Candidate, current: PairFiles): PairFiles {
  const { given } = wish;
  const script = wish.lockFor(opened)?.script;
  for (const file of [given.certificate, given.key, given.authorities]) {
    const form = materialOf(file?.data)?.form ?? 'PEM';
    if (form === 'PEM') continue;
    const message = `${file?.path} is ${form}, and a server reads its files in PEM form`;
    throw failure('untrusted', message, 'leave out --in-place: it is converted then');
  }
  const { path, data } = given.certificate;
  if (wish.consumes(opened) !== null)
    throw failure('usage', 'a key that waits is copied when it comes into use', 'leave out --in-place');
  const hasKey = (materialOf(data)?.keys.length ?? 0) > 0;
  return {
    SSL_CERTIFICATE: path,
    SSL_PRIVATE_KEY: given.key?.path ?? (hasKey ? path : current.SSL_PRIVATE_KEY),
    ...(given.authorities === undefined ? {} : { SSL_CA_CERTIFICATE: given.authorities.path }),
    ...(script === undefined ? {} : { SSL_PRIVATE_KEY_PASSWORD_SCRIPT: script }),
  };
}

/** Reads files as the server will, and refuses what it would refuse, or what is not what was looked at. */
export async function checkAsServer(
  files: PairFiles,
  protocol: Protocol,
  own: X509Certificate,
): Promise<void> {
  const pair = await readPair(files);
  secureOptions(pair, protocol);
  if (pair.chain[0]?.raw.equals(own.raw) === true) return;
  throw failure('conflict', `${files.SSL_CERTIFICATE} was changed meanwhile`, 'run the command again');
}

/** Whether the settings name this very pair already, and it lies where it is to lie. */
export async function isInUse(
  { store }: Pick<Site, 'store'>,
  current: PairFiles,
  { candidate }: Examined,
  wish: Wish,
): Promise<boolean> {
  if (wish.place === 'in-place') return isSame(current, settingsInPlace(wish, candidate, current));
  if (!current.SSL_CERTIFICATE.startsWith(`${store}/`)) return false;
  if (current.SSL_PRIVATE_KEY_PASSWORD_SCRIPT !== wish.lockFor(candidate.key)?.script) return false;
  const pair = await readPair(current).catch(() => undefined);
  return (
    pair?.chain.length === candidate.chain.length &&
    pair.chain.every((one, place) => candidate.chain[place]?.raw.equals(one.raw)) &&
    pair.key.equals(candidate.key)
  );
}

/** What the exchange is told to do. */
export async function wantedOf(wish: Wish, examined: Examined, current: PairFiles): Promise<Wanted> {
  const { candidate, own } = examined;
  const { place, origin, protocol } = wish;
  const pair =
    place === 'in-place'
      ? { settings: settingsInPlace(wish, candidate, current) }
      : { contents: await contentsOf(candidate, wish), script: wish.lockFor(candidate.key)?.script };
  return {
    ...{ event: 'certificate.rotate', told: { ...toldOf(own), place, origin }, pair },
    check: (files) => checkAsServer(files, protocol, own),
    consumed: wish.consumes(candidate.key),
  };
}
