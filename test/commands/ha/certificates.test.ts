/** The certificates of a pair, which its two servers know each other by. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { must, sharedPair, untilInStep } from '../../support/pair.ts';
import { said } from '../../support/refusal.ts';
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
