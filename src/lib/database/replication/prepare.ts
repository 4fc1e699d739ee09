import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { exists, makePrivateDirectory, writeAtomically } from '../../core/files.ts';
import type { Cluster } from '../cluster.ts';
import { admitPeer } from './host-rules.ts';
import { newNode, readNode, writeNode } from './node.ts';
import { isLasting } from './own-certificate.ts';
import { REPLICATION_ROLE, replicationFiles } from './place.ts';
import { writeReplicationSettings } from './settings.ts';

/** A certificate and its private key, both PEM. */
interface Pair {
  certificate: string;
  privateKey: string;
}

/** Who signs this host's certificate; the files of TLS are another folder's. */
export interface Authority {
  certificate: string;
  issue(name: string, hosts: string[]): Promise<Pair>;
}

/** The names and addresses by which this host may be reached. */
function hostNames(address: string): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((found) => found ?? [])
    .filter(({ internal, address: own }) => !internal && !own.startsWith('fe80:'))
    .map(({ address: own }) => own);
  return [...new Set([address, hostname(), 'localhost', ...addresses])];
}

type Files = ReturnType<typeof replicationFiles>;

/** Whether this host has a certificate that an authority has signed, its key, and time to go on with them. */
async function isUsable(files: Files, by: string): Promise<boolean> {
  const paths = [files.certificate, files.privateKey];
  if (!(await Promise.all(paths.map(exists))).every(Boolean)) return false;
  const [certificate = '', key = ''] = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
  try {
    const [own, authority] = [new X509Certificate(certificate), new X509Certificate(by)];
    // By its name and its key: a renewed certificate of the authority that has signed it stands for it, too.
    const isSigned = own.checkIssued(authority) && own.verify(authority.publicKey);
    return isSigned && own.checkPrivateKey(createPrivateKey(key)) && isLasting(own);
  } catch {
    return false;
  }
}

/** Gives this host its certificate, and that of the authority, where it lacks a good one. Returns whether anything was written. */
async function ensureCertificates(files: Files, authority: Authority, address: string): Promise<boolean> {
  const isGood = await isUsable(files, authority.certificate);
  if (!isGood) {
    const issued = await authority.issue(REPLICATION_ROLE, hostNames(address));
    await writeAtomically(files.privateKey, issued.privateKey);
    await writeAtomically(files.certificate, issued.certificate);
  }
  const known = (await exists(files.authority)) ? await readFile(files.authority, 'utf8') : undefined;
  if (known === authority.certificate) return !isGood;
  await writeAtomically(files.authority, authority.certificate);
  return true;
}

/** Remembers, before anything else of it is changed, that a host has the configuration directory of another server. */
export async function rememberOrigin(cluster: Cluster, copyOf: string): Promise<void> {
  await makePrivateDirectory(replicationFiles(cluster).directory);
  if ((await readNode(cluster)) === undefined) await writeNode(cluster, newNode(copyOf));
}

/**
 * Makes of a host's part in a pair what is missing: who it is, its certificate, PostgreSQL's settings. A certificate of another
 * authority than the configuration directory's is made anew, and one that expires or does not belong to its key. Returns whether PostgreSQL must be started again for it.
 */
export async function prepareReplication(
  cluster: Cluster,
  authority: Authority,
  address: string,
): Promise<boolean> {
  const files = replicationFiles(cluster);
  await makePrivateDirectory(files.directory);
  const known = await readNode(cluster);
  const node = known ?? newNode();
  if (known === undefined) await writeNode(cluster, node);
  const isRenewed = await ensureCertificates(files, authority, address);
  // What a pair has settled is written by its own commands; here only what was never there.
  const isNew = !(await exists(files.settings)) && (await writeReplicationSettings(cluster, node));
  return (await admitPeer(cluster)) || isNew || isRenewed;
}
