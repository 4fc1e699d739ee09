/** Certificates as an authority issues them, made with openssl. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './sandbox.ts';

/** Runs openssl in a directory; it must succeed. */
async function openssl(directory: string, ...args: string[]): Promise<void> {
  const done = await run('openssl', args, { cwd: directory });
  if (done.status !== 0) throw new Error(done.stderr);
}

async function issue(directory: string, name: string, issuer: string | undefined, ...more: string[]) {
  const by = issuer === undefined ? [] : ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`];
  const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/O=Example/CN=${name}`];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '90'];
  await openssl(directory, ...request, ...files, ...by, ...more);
}

/** What an authority hands out: NAME-root, NAME-middle below it, and NAME for a host, each as .pem and .key. */
export async function issueChain(directory: string, name: string, host: string): Promise<void> {
  const authority = ['-addext', 'basicConstraints=critical,CA:TRUE'];
  await issue(directory, `${name}-root`, undefined, ...authority);
  await issue(directory, `${name}-middle`, `${name}-root`, ...authority);
  const names = ['-addext', `subjectAltName=DNS:${host},DNS:*.keys.example.com,IP:127.0.0.1,IP:::1`];
  await issue(directory, name, `${name}-middle`, ...names, '-addext', 'basicConstraints=CA:FALSE');
  const chain = [`${name}.pem`, `${name}-middle.pem`].map((file) => readFile(join(directory, file), 'utf8'));
  await writeFile(join(directory, `${name}-chain.pem`), (await Promise.all(chain)).join(''));
}
