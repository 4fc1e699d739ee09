/** Certificates made by OpenSSL, of every kind and with every fault. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './sandbox.ts';

/** How a certificate is to be. */
export interface Recipe {
  subject?: string;
  /** Options of `openssl req` that say what key is made. */
  key?: string[];
  /** The name of the authority that signs; itself, where none is named. */
  by?: string;
  extensions?: string[];
  digest?: string;
  days?: number;
}

export const RSA = ['-newkey', 'rsa:2048'];
export const curve = (name: string) => ['-newkey', 'ec', '-pkeyopt', `ec_paramgen_curve:${name}`];
export const AUTHORITY = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
export const SERVER = ['basicConstraints=CA:FALSE', 'extendedKeyUsage=serverAuth'];

/** Runs OpenSSL, and fails with what it said. */
export async function openssl(...args: string[]): Promise<string> {
  const done = await run('openssl', args);
  if (done.status !== 0) throw new Error(`openssl ${args.join(' ')}: ${done.stderr}`);
  return done.stdout;
}

/** Makes `NAME.pem` and `NAME.key` in a directory, with nothing of the machine's own configuration. */
export async function issue(directory: string, name: string, recipe: Recipe = {}): Promise<void> {
  const { subject = `/CN=${name}`, key = curve('P-256'), by, extensions = [], digest = 'sha256' } = recipe;
  const at = (file: string) => join(directory, file);
  const config = at(`${name}.cnf`);
  await writeFile(config, '[req]\ndistinguished_name=d\n[d]\n');
  const signer = by === undefined ? [] : ['-CA', at(`${by}.pem`), '-CAkey', at(`${by}.key`)];
  await openssl(
    ...['req', '-x509', '-config', config, '-subj', subject, '-nodes', ...key, `-${digest}`, ...signer],
    ...['-days', String(recipe.days ?? 365), '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)],
    ...extensions.flatMap((extension) => ['-addext', extension]),
  );
}
