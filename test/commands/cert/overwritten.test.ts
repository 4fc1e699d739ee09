/** `cert rotate --in-place` where the files are overwritten: what was in use is not lost, on no way. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { auditDirectory } from '../../../src/lib/core/configuration.ts';
import { linesOf } from '../../support/audit.ts';
import { type Authority, authority, certificateEvents, configurationOf } from '../../support/authority.ts';
import { tree } from '../../support/faults.ts';
import { type InPlace, inPlace, issueExpired, subjectPresented } from '../../support/in-place.ts';
import { sharedServer, temporaryDirectory, withoutDrop } from '../../support/sandbox.ts';
import { configure, serving, sharedServing } from '../../support/serving.ts';

const HOST = 'kts01.example.com';
const server = sharedServer();
const running = sharedServing(server, async () => configure(server, { METRICS_PORT: 0 }));
const cleanUps: (() => Promise<void>)[] = [];
let ca: Authority;
let place: InPlace;

beforeAll(async () => {
  ca = await authority(await temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)), HOST);
  for (const name of ['a', 'b', 'c']) await ca.issue(name);
  await issueExpired(ca, 'expired');
  place = inPlace(server, ca);
  return async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
});

const settingsOf = () => readFile(join(server.confdir, 'keytrustee.conf'), 'utf8');
const presented = () => subjectPresented(running.port, HOST);
const rotate = (...more: string[]) => server.ktadmin(['cert', 'rotate', ...place.options, ...more]);
const rollback = async () => (await server.ktadmin(['cert', 'rollback'])).stdout.split('\n')[0];

async function put(name: string): Promise<void> {
  await place.lay(name);
  expect(await rotate()).toMatchObject({ status: 0 });
  expect([await presented(), await place.named()]).toEqual([`CN=${name}`, 'place']);
}

/** What the server presents once it has been started again. */
async function afterRestart(): Promise<string> {
  running.kill('SIGTERM');
  await running.ended;
  Object.assign(running, await serving(server, { atEnd: (cleanUp) => cleanUps.push(cleanUp) }));
  return presented();
}

test('defect: a pair that was overwritten where it lies and renewed is kept, and a rollback goes to it', async () => {
  await put('a');
  await place.lay('b');
  const done = JSON.parse((await rotate('--json')).stdout) as { before: string; kept: string };
  expect(done).toMatchObject({ before: await ca.fingerprint('a'), place: 'in-place', isChanged: true });
  expect(await readFile(join(done.kept, 'ssl-cert-keytrustee.pem'))).toEqual(await readFile(ca.at('a.pem')));
  expect([await presented(), await place.named()]).toEqual(['CN=b', 'place']);
  expect((await rotate()).stdout).toContain('it was in use already: nothing was changed');
  expect(await rollback()).toContain('in use now: CN=a,');
  expect([await presented(), await place.named()]).toEqual(['CN=a', 'copy']);
  expect(await rollback()).toContain('in use now: CN=b,');
  expect([await presented(), await place.named()]).toEqual(['CN=b', 'place']);
});

test('the copy is there once, and nobody else can read it', async () => {
  await put('a');
  await put('b');
  const store = join(server.confdir, '.ssl');
  const copies: string[] = [];
  for (const name of await readdir(store)) {
    if (!/^\d/.test(name) || !(await readdir(join(store, name))).includes('settings.json')) continue;
    copies.push(join(store, name));
  }
  expect(copies).toHaveLength(1);
  for (const directory of copies) {
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    for (const file of await readdir(directory))
      expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(directory, 'ssl-cert-keytrustee.pem'))).toEqual(
      await readFile(ca.at('b.pem')),
    );
  }
});

test('from one place to another, although the first was overwritten: back goes to what was in use', async () => {
  await put('a');
  await place.lay('b');
  const done = await server.ktadmin(['cert', 'rotate', '--in-place', ...ca.options('c')]);
  expect([done.status, await presented()]).toEqual([0, 'CN=c']);
  expect(await rollback()).toContain('in use now: CN=a,');
  expect(await rollback()).toContain('in use now: CN=c,');
  expect((await configurationOf(server)).SSL_CERTIFICATE).toBe(ca.at('c.pem'));
});

test('what was put there by hand and taken over by a reload is what is kept', async () => {
  await put('a');
  await place.lay('b');
  running.kill('SIGHUP');
  await expect.poll(presented, { timeout: 20_000 }).toBe('CN=b');
  expect((await server.ktadmin(['cert', 'rotate', ...ca.options('c')])).status).toBe(0);
  expect(await rollback()).toContain('in use now: CN=b,');
});

const BAD: [string, () => Promise<void>, string][] = [
  ['expired', () => place.lay('expired'), 'expired'],
  ['the key of another', () => place.lay('c', 'b'), 'does not belong to'],
  ['gone', () => place.remove(), 'is missing'],
];

test.each(BAD)(
  'defect: a bad renewal in place (%s): a restart presents what was in use',
  async (...[, lay, why]) => {
    await put('a');
    const before = (await certificateEvents(server)).length;
    await lay();
    const state = async () => [await tree(join(server.confdir, '.ssl')), await settingsOf()];
    const unchanged = await state();
    const conf = join(server.confdir, 'keytrustee.conf');
    const rehearsed = await rotate('--dry-run');
    expect(rehearsed).toMatchObject({ status: 8, stdout: '' });
    expect(rehearsed.stderr).toContain(`\nwithout --dry-run, ${conf} names its copy `);
    expect(await state()).toEqual(unchanged);
    const failed = await rotate();
    expect([failed.status, failed.stdout]).toEqual([8, '']);
    const { SSL_CERTIFICATE: copy } = await configurationOf(server);
    const after = `the certificate that was in use stays in use: ${conf} names its copy ${copy}, because ${place.certificate} was overwritten; run the command again when good files lie there`;
    const [first, ...lines] = withoutDrop(failed.stderr).trimEnd().split('\n');
    expect([first, lines.at(-1)]).toEqual(['ktadmin: error: the certificate cannot be used:', after]);
    expect(lines.join('\n')).toContain(why);
    expect([await presented(), await place.named(), await afterRestart()]).toEqual(['CN=a', 'copy', 'CN=a']);
    const events = await linesOf(auditDirectory(server.confdir, {}), 'command');
    expect((await certificateEvents(server)).slice(before)).toEqual(['certificate.rotate failed CN=a']);
    const { reason } = events.findLast(({ event }) => event === 'certificate.rotate') as { reason: string };
    expect(reason).toMatch(/^the certificate cannot be used: .*[^\n]/);
    expect(reason.endsWith(after)).toBe(true);
    // A second run finds nothing more to do, and good files are used where they lie again.
    expect((await rotate()).stderr).not.toContain('stays in use');
    await put('b');
    expect(await rollback()).toContain('in use now: CN=a,');
  },
);

test('where no copy is there, it is said what a restart would read, and nothing is changed', async () => {
  const files = { SSL_CERTIFICATE: place.certificate, SSL_PRIVATE_KEY: ca.at('place.private') };
  expect((await server.ktadmin(['cert', 'rotate', ...ca.options('a')])).status).toBe(0);
  await place.lay('a');
  await configure(server, { ...files, SSL_CA_CERTIFICATE: ca.at('ca.pem') });
  const before = await settingsOf();
  await place.lay('expired');
  const failed = await rotate();
  expect(failed.status).toBe(8);
  expect(withoutDrop(failed.stderr).trimEnd().split('\n').at(-1)).toBe(
    `no copy is there of what was in use, and a server that starts again reads what is in ${place.certificate} now: put good files there before, or use others with ktadmin cert rotate`,
  );
  expect(await settingsOf()).toBe(before);
  expect(await presented()).toBe('CN=a');
  // Put there again, it is not changed, and a copy is made of it.
  await put('a');
  await place.lay('expired');
  expect((await rotate()).stderr).toContain('names its copy');
});
