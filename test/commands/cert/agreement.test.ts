/**
 * `cert show` against the clients that everybody has: openssl s_client, curl and sslscan must see the same chain, names,
 * versions and ciphers, whatever is configured.
 */
import { spawnSync } from 'node:child_process';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { Shown } from '../../../src/lib/certificates/show.ts';
import { askServer } from '../../../src/lib/core/control.ts';
import { issueChain } from '../../support/authorities.ts';
import { run, type TestServer, temporaryDirectory, testServer } from '../../support/sandbox.ts';
import { configure, type Serving, serving } from '../../support/serving.ts';

const hasSslscan = spawnSync('sslscan', ['--version']).status === 0;
const HOST = 'kts01.example.com';

let server: TestServer;
let running: Serving;
let directory: string;

/** A server with a chain of two that openssl issued, and another authority that has nothing to do with it. */
beforeAll(async () => {
  const cleanUps: (() => Promise<void>)[] = [];
  const atEnd = (cleanUp: () => Promise<void>) => void cleanUps.unshift(cleanUp);
  directory = await temporaryDirectory(atEnd);
  server = await testServer({ start: false, atEnd });
  await Promise.all([issueChain(directory, 'own', HOST), issueChain(directory, 'other', HOST)]);
  const files = {
    SSL_CERTIFICATE: 'own.pem',
    SSL_PRIVATE_KEY: 'own.key',
    SSL_CA_CERTIFICATE: 'own-middle.pem',
  };
  for (const [setting, name] of Object.entries(files)) {
    const path = join(server.confdir, '.ssl', name);
    await copyFile(join(directory, name), path);
    await run('chown', ['--reference', server.confdir, path]);
    await configure(server, { [setting]: path });
  }
  running = await serving(server, { atEnd });
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

async function show(): Promise<Shown> {
  const { stdout, status } = await server.ktadmin(['cert', 'show', '--json']);
  expect(status).toBe(0);
  return JSON.parse(stdout) as Shown;
}

/** The fingerprints of what `openssl s_client -showcerts` is sent. */
async function sentChain(): Promise<{ subject: string; sha256: string }[]> {
  const client = ['s_client', '-connect', `127.0.0.1:${running.port}`, '-servername', HOST, '-showcerts'];
  const { stdout } = await run('openssl', [...client, '-cipher', 'ALL:@SECLEVEL=0']);
  const pems = stdout.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return Promise.all(
    pems.map(async (input) => {
      const args = [
        'x509',
        '-noout',
        '-subject',
        '-fingerprint',
        '-sha256',
        '-nameopt',
        'sep_comma_plus_space',
      ];
      const said = await run('openssl', args, { input });
      const [subject = '', sha256 = ''] = said.stdout
        .trim()
        .split('\n')
        .map((line) => line.replace(/^.*?=/, ''));
      return { subject, sha256 };
    }),
  );
}

/** What `openssl s_client` agrees upon in each version, an empty text where it is refused. */
async function agreed(): Promise<string[]> {
  return Promise.all(
    ['-tls1', '-tls1_1', '-tls1_2', '-tls1_3'].map(async (version) => {
      const client = ['s_client', '-connect', `127.0.0.1:${running.port}`, version];
      const { stdout } = await run('openssl', [...client, '-cipher', 'ALL:@SECLEVEL=0']);
      return /^New, \S+ Cipher is (?!\(NONE\))(\S+)$/m.exec(stdout)?.[1] ?? '';
    }),
  );
}

/** What sslscan finds: the versions, oldest first, each with its ciphers in the order in which they are liked. */
async function scan() {
  const quick = ['heartbleed', 'renegotiation', 'compression', 'groups', 'fallback', 'check-certificate'];
  const args = [
    ...quick.map((word) => `--no-${word}`),
    `--sni-name=${HOST}`,
    '--show-certificate',
    '--xml=-',
  ];
  const { stdout } = await run('sslscan', [...args, `127.0.0.1:${running.port}`]);
  const found = new Map<string, string[]>();
  for (const [, version = '', cipher = ''] of stdout.matchAll(
    /<cipher [^>]*sslversion="([^"]+)"[^>]* cipher="([^"]+)"/g,
  ))
    found.set(version, [...(found.get(version) ?? []), cipher]);
  const spoken = [...found].toSorted(([one], [other]) => (one < other ? -1 : 1));
  return {
    // What OpenSSL calls TLSv1 is TLSv1.0 there.
    spoken: spoken.map(([version, ciphers]) => ({ protocol: version.replace(/\.0$/, ''), ciphers })),
    names: /Subject Alternative Name"><!\[CDATA\[(.*?)\]\]>/.exec(stdout)?.[1],
    subject: /<subject><!\[CDATA\[(.*?)\]\]>/.exec(stdout)?.[1],
  };
}

/** Asks with curl, which checks the certificate against one authority's root alone. */
async function curl(authority: string, host = HOST) {
  const url = `https://${host}:${running.port}/?a=fingerprint`;
  const reach = [
    '--resolve',
    `${host}:${running.port}:127.0.0.1`,
    '--cacert',
    join(directory, `${authority}.pem`),
  ];
  const { status, stdout } = await run('curl', ['-sS', ...reach, url]);
  return { status, stdout };
}

const VERSIONS = ['tlsv1', 'tlsv1.1', 'tlsv1.2', 'tlsv1.3'];
/** The names in sslscan's words. */
const NAMES = `DNS:${HOST}, DNS:*.keys.example.com, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1`;
const MANUAL = 'AES256:CAMELLIA256-SHA';

const SETTINGS = VERSIONS.flatMap((minimum) => ['', MANUAL].map((ciphers) => [minimum, ciphers] as const));

/** What the clients that everybody has see of the server with these settings, beside what is shown. */
async function look(minimum: string, ciphers: string) {
  await configure(server, { SSL_MIN_VERSION: minimum, SSL_CIPHERS: ciphers });
  await askServer(server.confdir, 'reload');
  return {
    shown: await show(),
    sent: await sentChain(),
    versions: await agreed(),
    scanned: hasSslscan ? await scan() : undefined,
    trusted: [await curl('own-root'), await curl('other-root')],
  };
}

const seen = new Map<string, ReturnType<typeof look>>();

/** The same, once for each settings, whichever test asks first. */
function lookOnce(minimum: string, ciphers: string): ReturnType<typeof look> {
  const name = `${minimum} ${ciphers}`;
  const found = seen.get(name) ?? look(minimum, ciphers);
  seen.set(name, found);
  return found;
}

test.each(SETTINGS)(
  'SSL_MIN_VERSION %s, SSL_CIPHERS "%s": openssl and curl see what cert show says',
  async (minimum, ciphers) => {
    const { shown, sent, versions, trusted } = await lookOnce(minimum, ciphers);
    const { presented, configured, agrees } = shown;
    const [{ chain, spoken } = { chain: [], spoken: [] }] = presented;
    expect(agrees).toBe(true);
    expect(chain).toEqual(configured.chain);
    expect(chain[0]?.names).toEqual([HOST, '*.keys.example.com', '127.0.0.1', '::1']);
    expect(chain.map(({ subject, sha256 }) => ({ subject, sha256 }))).toEqual(sent);
    const least = VERSIONS.indexOf(`${minimum}`);
    expect(spoken.map(({ protocol }) => protocol.toLowerCase())).toEqual(VERSIONS.slice(least));
    const preferred = spoken.map((one) => one.ciphers[0] ?? '');
    expect(versions).toEqual([...VERSIONS.slice(0, least).map(() => ''), ...preferred]);
    expect(trusted).toEqual([
      { status: 0, stdout: server.fingerprint },
      { status: 60, stdout: '' },
    ]);
  },
);

test.skipIf(!hasSslscan).each(SETTINGS)(
  '(needs sslscan) SSL_MIN_VERSION %s, SSL_CIPHERS "%s": sslscan sees what cert show says',
  async (minimum, ciphers) => {
    const { shown, scanned } = await lookOnce(minimum, ciphers);
    const [{ spoken } = { spoken: [] }] = shown.presented;
    expect(scanned).toEqual({ spoken, names: NAMES, subject: '/O=Example/CN=own' });
  },
);

test('curl takes the names that are shown, and no other', async () => {
  const accepted = { status: 0, stdout: server.fingerprint };
  for (const name of ['a.keys.example.com', '127.0.0.1'])
    expect(await curl('own-root', name)).toEqual(accepted);
  for (const name of ['b.a.keys.example.com', 'kts02.example.com'])
    expect(await curl('own-root', name)).toEqual({ status: 60, stdout: '' });
});
