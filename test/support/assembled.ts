/** What becomes of files that are handed over as a certificate, its key and its authorities. */
import { expect } from 'vitest';
import { type Assembly, assemble } from '../../src/lib/certificates/candidate.ts';
import { readGiven } from '../../src/lib/certificates/given.ts';
import type { Material } from './material.ts';

/** Names of files in the directory of the material. */
export type Files = [certificate: string, key?: string | undefined, authorities?: string];

/** Assembles files for a server that is called a.example.com. */
export async function assembleFiles({ at }: Material, files: Files, more: Partial<Assembly> = {}) {
  const [certificate, key, authorities] = files;
  const read = (name: string | undefined) => (name === undefined ? undefined : readGiven(at(name)));
  const given = { certificate: await readGiven(at(certificate)), key: await read(key) };
  const protocol = { SSL_MIN_VERSION: 'tlsv1.2', SSL_CIPHERS: '' } as const;
  const terms = { host: 'a.example.com', protocol, ...more };
  return assemble({ ...given, authorities: await read(authorities) }, terms);
}

/** The names in the chain of files in which there is no fault. */
export async function chainOfFiles(made: Material, files: Files, more?: Partial<Assembly>) {
  const { candidate, faults } = await assembleFiles(made, files, more);
  expect(faults).toEqual([]);
  expect(candidate?.chain[0]?.checkPrivateKey(candidate.key)).toBe(true);
  return candidate?.chain.map(({ subject }) => subject.replace('CN=', '')).join(' ');
}

/** The faults of files as lines, without the directory, which is another in every run. */
export async function faultsOfFiles(made: Material, files: Files, more?: Partial<Assembly>) {
  const { candidate, faults } = await assembleFiles(made, files, more);
  expect(candidate).toBe(undefined);
  return faults.map(({ code, message, hint }) =>
    [code, message, hint].join(' | ').replaceAll(`${made.at('')}/`, ''),
  );
}
