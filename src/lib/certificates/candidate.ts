import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import type { Fault, Verdict } from '../tls/fault.ts';
import { type Material, type PasswordSource, recognize } from '../tls/material.ts';
import { judge, type Terms } from '../tls/verdict.ts';
import type { GivenFile } from './given.ts';

/** The files that an administrator names. The first may hold all of it. */
export interface Given {
  certificate: GivenFile;
  key?: GivenFile | undefined;
  authorities?: GivenFile | undefined;
}

/** A certificate with its chain and its key, opened: what a server could be given. */
export interface Candidate {
  /** The server's own first, then the authorities, each once. */
  chain: X509Certificate[];
  key: KeyObject;
  /** Whether the key had a password where it lay. */
  wasLocked: boolean;
}

/** How files are made a candidate. */
export interface Assembly extends Terms {
  /** Where the password of a key comes from, when one turns out to be needed. */
  password?: PasswordSource | undefined;
  /** Keys that are there already, for a certificate that came without one: whichever belongs to it is taken. */
  spareKeys?: KeyObject[];
}

/** What became of the files: everything that is wrong with them, and what they are, where they are that much. */
export interface Assembled extends Verdict {
  candidate: Candidate | undefined;
  /** What could be read, where there is no key for it or the key is another's. */
  chain: X509Certificate[];
}

function read(file: GivenFile | undefined, faults: Fault[]): Material | undefined {
  if (file === undefined) return undefined;
  const material = file.data === undefined ? undefined : recognize(Buffer.from(file.data, 'base64'));
  if (material !== undefined) return material;
  const message = `${file.path} holds neither a certificate nor a key`;
  faults.push(file.fault ?? { code: 'not-recognized', message, hint: `openssl x509 -in ${file.path} -text` });
  return undefined;
}

/** Makes of files what a server could be given, and says all that is wrong with it. */
export async function assemble(given: Given, assembly: Assembly): Promise<Assembled> {
  const faults: Fault[] = [];
  const found = [given.certificate, given.key, given.authorities].map((file) => read(file, faults));
  const chain = found
    .flatMap((material) => material?.certificates ?? [])
    .filter((one, place, all) => all.findIndex(({ raw }) => raw.equals(one.raw)) === place);
  const [foundKey] = found.flatMap((material) => material?.keys ?? []);
  const key =
    foundKey === undefined
      ? assembly.spareKeys?.find((spare) => chain[0]?.checkPrivateKey(spare))
      : createPrivateKey({
          key: foundKey.pem,
          ...(foundKey.isLocked && assembly.password ? { passphrase: await assembly.password() } : {}),
        });
  const verdict = await judge({ chain, key }, assembly);
  const candidate =
    key === undefined || chain.length === 0
      ? undefined
      : { chain, key, wasLocked: foundKey?.isLocked === true };
  return { candidate, chain, faults: [...faults, ...verdict.faults], warnings: verdict.warnings };
}
