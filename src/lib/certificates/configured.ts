import type { X509Certificate } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import { errorCode, explain } from '../core/errors.ts';
import { exists } from '../core/files.ts';
import { type Description, describe } from '../tls/describe.ts';
import { type PairFiles, readChain } from '../tls/pair.ts';
import { listKept } from './kept.ts';
import { pendingFiles } from './pending.ts';

/** What the settings name, as far as it can be read. The private key is not opened. */
export interface Configured {
  /** By the names of the settings. The password script is not among them: it may hold the password. */
  files: Omit<PairFiles, 'SSL_PRIVATE_KEY_PASSWORD_SCRIPT'>;
  hasPasswordScript: boolean;
  /** The server's own first; without what cannot be read. */
  chain: Description[];
  /** What is wrong with the files. */
  faults: string[];
  /** The request whose certificate is still to come. */
  pending: string | null;
  /** How many earlier certificates are kept. */
  kept: number;
}

async function keyFaults({ SSL_PRIVATE_KEY: path }: PairFiles): Promise<string[]> {
  try {
    await access(path, constants.R_OK);
    return [];
  } catch (error) {
    const reason = errorCode(error) === 'ENOENT' ? 'is missing' : 'may not be read';
    return [`SSL_PRIVATE_KEY ${path} ${reason}`];
  }
}

/** As many as a rollback could go back to. */
async function countKept(directory: string): Promise<number> {
  return (await exists(directory)) ? (await listKept(directory)).length : 0;
}

/** Reads a chain; where that of the authorities cannot be read, what is there without them. */
async function readableChain(files: PairFiles, faults: string[]): Promise<X509Certificate[]> {
  try {
    return await readChain(files);
  } catch (error) {
    faults.push(explain(error).message);
    if (files.SSL_CA_CERTIFICATE === undefined) return [];
    return await readChain({ ...files, SSL_CA_CERTIFICATE: undefined }).catch(() => []);
  }
}

/** Reads what the settings name, and looks what waits and what is kept in the directory of certificates. */
export async function readConfigured(
  settings: PairFiles,
  sslDirectory: string,
): Promise<{ chain: X509Certificate[]; configured: Configured }> {
  const { SSL_CERTIFICATE, SSL_PRIVATE_KEY, SSL_CA_CERTIFICATE } = settings;
  const { request } = pendingFiles(sslDirectory);
  const faults: string[] = [];
  const chain = await readableChain(settings, faults);
  faults.push(...(await keyFaults(settings)));
  const authorities = SSL_CA_CERTIFICATE === undefined ? {} : { SSL_CA_CERTIFICATE };
  const configured = {
    files: { SSL_CERTIFICATE, SSL_PRIVATE_KEY, ...authorities },
    hasPasswordScript: settings.SSL_PRIVATE_KEY_PASSWORD_SCRIPT !== undefined,
    chain: chain.map((certificate) => describe(certificate)),
    ...{ faults, pending: (await exists(request)) ? request : null, kept: await countKept(sslDirectory) },
  };
  return { chain, configured };
}
