import type { KeyObject, X509Certificate } from 'node:crypto';
import type { Verdict } from '../tls/fault.ts';
import type { PasswordSource } from '../tls/material.ts';
import { continuePath, eachOnce, ownFirst } from '../tls/path.ts';
import { judge, type Terms } from '../tls/verdict.ts';
import { keyOf, spareKey } from './found-key.ts';
import type { GivenFile } from './given.ts';
import { type Desk, type OpenedFile, openDesk, openFile } from './opened.ts';

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

/** The files, opened; undefined where one was not given or is nothing. */
interface Opened {
  certificate: OpenedFile | undefined;
  key: OpenedFile | undefined;
  authorities: OpenedFile | undefined;
}

const REQUEST = 'CERTIFICATE REQUEST';

function requireCertificates({ certificate, key, authorities }: Opened, { faults }: Desk): void {
  for (const file of [certificate, authorities]) {
    if (file === undefined || file.certificates.length + file.damaged.length > 0) continue;
    const isRequest = file.others.includes(REQUEST);
    const isExchanged = file === certificate && file.keys.length > 0 && (key?.certificates.length ?? 0) > 0;
    const hint = isExchanged
      ? `${key?.path ?? ''} holds one: the two files seem to be exchanged`
      : 'name the file with the certificate that the authority issued';
    const message = `${file.path} holds no certificate${isRequest ? ', only a request for one' : ''}`;
    faults.push({ code: 'no-certificate', message, hint });
  }
}

const isOrdered = ({ form }: OpenedFile) => form === 'PEM' || form === 'DER';

/** Whether the server's own certificate can be among those of its file: of a damaged file it may be what cannot be read. */
function holdsOwn({ certificates, damaged }: OpenedFile): boolean {
  return damaged.length === 0 ? certificates.length > 0 : certificates.some(({ ca }) => !ca);
}

/** In PEM the order is the administrator's, and judged; in the other forms it means nothing. */
function chainOf({ certificate, authorities }: Opened, key: KeyObject | undefined): X509Certificate[] {
  // Of authorities alone nothing can be said: the first of them would be judged as the server's.
  if (certificate === undefined || !holdsOwn(certificate)) return [];
  const own = certificate.certificates;
  const chain = isOrdered(certificate) ? own : ownFirst(own, key);
  if (authorities === undefined) return eachOnce(chain);
  const others = authorities.certificates;
  return eachOnce(isOrdered(authorities) ? [...chain, ...others] : continuePath(eachOnce(chain), others));
}

const WAYS =
  'name it with --key FILE, put it into the file of the certificate, or begin with ktadmin cert request, which keeps one';

/** The key: that of the key file, or of the certificate's file, or a spare one. */
async function findKey(given: Given, opened: Opened, desk: Desk, spare: Assembly['spareKeys']) {
  const { certificate, key: keyFile } = opened;
  const file = given.key === undefined ? certificate : keyFile;
  // What is wrong with the file is told already.
  if (file === undefined) return undefined;
  if (file.keys.length > 0) return await keyOf(file, desk);
  if (file.damaged.some((what) => what.includes('private key'))) return undefined;
  const own = chainOf(opened, undefined)[0];
  // Without a certificate nobody knows which key it is that is missing.
  if (given.key === undefined && own === undefined) return undefined;
  const found = given.key === undefined ? spareKey(spare, own) : undefined;
  const message =
    given.key === undefined
      ? `there is no private key for ${file.path}`
      : `${file.path} holds no private key`;
  if (found === undefined) desk.faults.push({ code: 'no-key', message, hint: WAYS });
  return found;
}

/**
 * Makes of files what a server could be given, and says all that is wrong with it. Certificates in the key's file do not
 * count: it may be the whole store of the certificate before.
 */
export async function assemble(given: Given, assembly: Assembly): Promise<Assembled> {
  const desk = openDesk(assembly.password);
  const open = (file: GivenFile | undefined) => (file === undefined ? undefined : openFile(file, desk));
  const opened = {
    certificate: await open(given.certificate),
    key: await open(given.key),
    authorities: await open(given.authorities),
  };
  requireCertificates(opened, desk);
  const found = await findKey(given, opened, desk, assembly.spareKeys);
  const chain = chainOf(opened, found?.key);
  if (chain.length === 0) return { candidate: undefined, chain, faults: desk.faults, warnings: [] };
  const file = chain.filter((one) => opened.certificate?.certificates.some(({ raw }) => raw.equals(one.raw)));
  const { faults, warnings } = await judge({ chain, file, key: found?.key }, assembly);
  const candidate = found === undefined ? undefined : { chain, ...found };
  return { candidate, chain, faults: [...desk.faults, ...faults], warnings };
}
