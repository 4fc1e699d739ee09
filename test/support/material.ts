/** Certificates and keys in every form in which they are handed over, made by openssl. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './sandbox.ts';

/** The password of whatever has one. */
export const PASSWORD = 'grüner Baum';

/** A directory with an authority (`root`), a certificate of it (`own`), and another (`other`): `.pem`, `.key`. */
export interface Material {
  at(name: string): string;
  /** Runs openssl; `NAME` after `@` is a file of the directory. */
  openssl(line: string): Promise<void>;
  text(name: string): Promise<string>;
  bytes(name: string): Promise<Buffer>;
  write(name: string, content: string | Buffer): Promise<string>;
}

const NEW = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90';
const SERVER =
  '-addext basicConstraints=critical,CA:FALSE -addext keyUsage=digitalSignature -addext extendedKeyUsage=serverAuth -addext subjectAltName=DNS:a.example.com';

/** Makes the first certificates in a directory; what else a test needs it makes of them. */
export async function makeMaterial(directory: string): Promise<Material> {
  const at = (name: string) => join(directory, name);
  const openssl = async (line: string) => {
    const words = line.split(' ').map((word) => (word.startsWith('@') ? at(word.slice(1)) : word));
    const done = await run('openssl', words);
    if (done.status !== 0) throw new Error(`${line}: ${done.stderr}`);
  };
  await writeFile(at('password'), PASSWORD, { mode: 0o600 });
  await openssl(
    `${NEW} -keyout @root.key -out @root.pem -subj /CN=root -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign`,
  );
  for (const name of ['own', 'other'])
    await openssl(
      `${NEW} -keyout @${name}.key -out @${name}.pem -subj /CN=${name} ${SERVER} -CA @root.pem -CAkey @root.key`,
    );
  const write = async (name: string, content: string | Buffer) => {
    await writeFile(at(name), content);
    return at(name);
  };
  const bytes = (name: string) => readFile(at(name));
  return { at, openssl, bytes, text: (name) => readFile(at(name), 'utf8'), write };
}
