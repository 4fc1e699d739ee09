/** The certificates of a pair, which its two servers know each other by. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { renewInternalAuthority } from '../../../src/lib/tls/internal-authority.ts';
import { ahead, hasFaketime } from '../../support/clock.ts';
import { must, sharedPair, untilInStep } from '../../support/pair.ts';
import { refusal, said } from '../../support/refusal.ts';
import { run, type TestServer, temporaryDirectory } from '../../support/sandbox.ts';

const pair = sharedPair();

/** Gives a server a certificate of the pair's authority that expired long ago. */
async function expire({ confdir, pgRootdir }: TestServer): Promise<void> {
  const directory = await temporaryDirectory();
  const at = (name: string) => join(directory, name);
  const authority = (name: string) => join(confdir, '.replication', name);
  const own = (name: string) => join(pgRootdir, 'replication', name);
  await writeFile(at('index'), '');
  const policy = `[ca]\ndefault_ca=d\n[d]\ndatabase=${at('index')}\nserial=${at('serial')}\npolicy=p\ncopy_extensions=copy\n[p]\ncommonName=supplied\n`;
  await writeFile(at('cnf'), policy);
  const subject = ['-subj', '/CN=keytrustee_ha', '-addext', 'subjectAltName=DNS:localhost'];
  await run('openssl', ['req', '-new', '-key', own('key.pem'), ...subject, '-out', at('csr')]);
  await run('openssl', [
    ...['ca', '-batch', '-notext', '-config', at('cnf'), '-md', 'sha256', '-create_serial'],
    ...[
      '-cert',
      authority('authority.pem'),
      '-keyfile',
      authority('authority-key.pem'),
      '-outdir',
      directory,
    ],
    ...['-startdate', '20200101000000Z', '-enddate', '20200201000000Z', '-in', at('csr'), '-out', at('pem')],
  ]);
  await writeFile(own('certificate.pem'), await readFile(at('pem')));
}

test.each(['active', 'passive'] as const)(
  'defect: with the certificate of the %s server expired, db start ended without a word and without PostgreSQL',
  async (which) => {
    const server = pair[which];
    const other = pair[which === 'active' ? 'passive' : 'active'];
    await must(server.ktadmin(['db', 'stop']));
    await expire(server);
    for (let round = 0; round < 3; round += 1) {
      const started = said(await server.ktadmin(['db', 'start']));
      expect(started).toMatchObject({
        status: 0,
        stderr: expect.stringContaining('PostgreSQL runs on port'),
      });
      await must(server.ktadmin(['db', 'stop']));
    }
    await must(server.ktadmin(['db', 'start']));
    const status = async (at: TestServer) =>
      JSON.parse((await at.ktadmin(['ha', 'status', '--json'])).stdout).remarks as {
        code: string;
        next: string;
      }[];
    expect(await status(server)).toContainEqual(
      expect.objectContaining({ code: 'certificate-expired', next: 'ktadmin init; ktadmin db restart' }),
    );
    const [seen] = await status(other);
    expect(seen?.next).toContain('on localhost: ktadmin init; ktadmin db restart; ');
    await must(server.ktadmin(['init']));
    await must(server.ktadmin(['db', 'restart']));
    await untilInStep(pair);
    expect((await status(server)).map(({ code }) => code)).toEqual(['in-step']);
  },
);

const RENEW = 'ktadmin init; ktadmin db restart';

test.each([
  ['active', 'certificate.pem', 'is no certificate', (path: string) => writeFile(path, 'rubbish\n')],
  ['passive', 'certificate.pem', 'is no certificate', (path: string) => writeFile(path, '')],
  ['active', 'authority.pem', 'is missing', (path: string) => rm(path)],
  ['passive', 'authority.pem', 'is no certificate', (path: string) => writeFile(path, 'rubbish\n')],
] as const)(
  'defect: ha status and doctor of the %s server did not tell that its %s %s',
  async (which, name, what, spoil) => {
    const server = pair[which];
    const path = join(server.pgRootdir, 'replication', name);
    await spoil(path);
    const finding = { severity: 'critical', code: 'certificate-unusable', message: `${path} ${what}` };
    const status = async () => JSON.parse((await server.ktadmin(['ha', 'status', '--json'])).stdout);
    const { state, remarks } = await status();
    expect({ state, first: remarks[0] }).toEqual({
      state: 'certificate-unusable',
      first: { ...finding, next: RENEW },
    });
    const { checks } = JSON.parse((await server.ktadmin(['doctor', '--json'])).stdout);
    expect(checks).toContainEqual(
      expect.objectContaining({ name: 'replication', message: finding.message, hint: RENEW }),
    );
    await must(server.ktadmin(['init']));
    await untilInStep(pair);
    expect((await status()).remarks.map(({ code }: { code: string }) => code)).toEqual(['in-step']);
  },
);

/** Gives both servers a certificate of their authority, of the same key, that expired long ago. */
async function expireAuthority(servers: TestServer[]): Promise<void> {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('1990-01-01') });
  const made = (server: TestServer, name: string) =>
    readFile(join(server.confdir, '.replication', name), 'utf8');
  const [server = pair.active] = servers;
  const [certificate, privateKey] = [
    await made(server, 'authority.pem'),
    await made(server, 'authority-key.pem'),
  ];
  const expired = await renewInternalAuthority({ certificate, privateKey }).finally(() => vi.useRealTimers());
  for (const { confdir, pgRootdir } of servers)
    for (const place of [join(confdir, '.replication'), join(pgRootdir, 'replication')])
      await writeFile(join(place, 'authority.pem'), expired);
}

test('defect: with the authority of a pair expired, what was told to do mended nothing, for ever', async () => {
  const { active, passive } = pair;
  const both = [active, passive];
  const remarks = async (server: TestServer) =>
    JSON.parse((await server.ktadmin(['ha', 'status', '--json'])).stdout).remarks;
  const own = (server: TestServer) => readFile(join(server.pgRootdir, 'replication/certificate.pem'), 'utf8');
  const before = await Promise.all(both.map(own));
  await expireAuthority(both);
  for (const server of both) await must(server.ktadmin(['db', 'restart']));
  const message = expect.stringMatching(/^the authority of the pair expired on 20\d\d-/);
  for (const server of both)
    expect(await remarks(server)).toContainEqual(
      expect.objectContaining({ code: 'certificate-expired', message, next: RENEW }),
    );
  const mend = async (server: TestServer) => {
    const { stderr } = await must(server.ktadmin(['init']));
    expect(stderr).toContain('the authority of the pair was renewed: it is valid until 20');
    await must(server.ktadmin(['db', 'restart']));
  };
  await mend(active);
  // The first one is well; what it says of the other one is what to do there.
  const [seen] = await remarks(active);
  expect(seen.next).toContain(`on localhost: ${RENEW}; `);
  await mend(passive);
  await untilInStep(pair);
  for (const server of both)
    expect((await remarks(server)).map(({ code }: { code: string }) => code)).toEqual(['in-step']);
  expect(await Promise.all(both.map(own))).toEqual(before);
});

test.each(['authority.pem', 'authority-key.pem'])(
  'defect: init did not tell that %s of the configuration directory was spoilt',
  async (name) => {
    const { confdir, ktadmin } = pair.passive;
    const directory = join(confdir, '.replication');
    const before = await readFile(join(directory, name));
    await writeFile(join(directory, name), 'rubbish\n');
    const refused = said(await ktadmin(['init']));
    await writeFile(join(directory, name), before);
    const message = `${directory} holds files that are no authority: a certificate and its key`;
    const hint = 'copy it from the other server of the pair; where there is none, move it away';
    expect(refused).toEqual(refusal(6, message, hint));
  },
);

test.skipIf(!hasFaketime)(
  'defect: a clock that was a day behind was told as certificates that are not trusted (needs faketime)',
  async () => {
    const { stdout } = await pair.passive.ktadmin(['ha', 'status', '--json'], { env: ahead(-86_400) });
    const { remarks } = JSON.parse(stdout) as { remarks: { code: string; message: string; next: string }[] };
    expect(remarks[0]).toMatchObject({
      code: 'active-away',
      next: expect.stringMatching(/^is the clock right here\? timedatectl; /),
    });
  },
);
