import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { keyring } from '../../support/keyring.ts';
import { api, createMachine, openSession, register, signedChallenge } from '../../support/machines.ts';
import { sharedServer } from '../../support/sandbox.ts';
import { configure, sharedServing } from '../../support/serving.ts';

const CODE = 'Ob8hCr2hfUBgV+SM6DIx8A==';
const server = sharedServer();
const running = sharedServing(server, () =>
  configure(server, { RATE_LIMIT_ADDRESS: 100_000, MAIL_TRANSPORT: 'none' }),
);

beforeAll(async () => {
  for (const name of ['coded', 'open', 'other']) {
    await server.orgtool(['add', '-n', name, '-c', `a@${name}.example,b@${name}.example`, '--quiet']);
    await server.orgtool(['set-auth', '-n', name, '-s', name === 'open' ? '' : CODE, '--quiet']);
  }
});

const stateOf = (fingerprint: string) =>
  server.query(`select state, activated_at is not null from client where fingerprint = '${fingerprint}'`);
const refused = (status: number, code: string) => ({ status, json: { error: { code } } });
const approvals = (fingerprint: string) =>
  server.query(
    `select count(*) from graphile_worker.jobs join client on key like 'approval:' || client.id || ':%'
     where fingerprint = '${fingerprint}'`,
  );

describe('a machine that proves its key', () => {
  test('is let in by the code, and again without harm', async () => {
    const machine = await createMachine();
    const { fingerprint } = machine;
    const asked = { organization: 'coded', name: 'web-1', code: CODE };
    const client = { fingerprint, organization: 'coded', name: 'web-1', state: 'active' };
    expect(await register(running, machine, asked)).toMatchObject({ status: 201, json: client });
    expect(await register(running, machine, asked)).toMatchObject({ status: 200, json: client });
    expect(await stateOf(fingerprint)).toBe('active|t');
    const { json } = await openSession(running, machine);
    const shown = await api(running, 'GET', '/v1/client', { session: String(json.session) });
    expect(shown).toMatchObject({ status: 200, json: { ...client, created: expect.any(String) } });
    expect(Object.keys(shown.json)).toEqual([...Object.keys(client), 'created', 'activated']);
    expect(await approvals(fingerprint)).toBe('0');
  });

  test('is let in without a code where the organization has none', async () => {
    const machine = await createMachine();
    const answer = await register(running, machine, { organization: 'open' });
    expect(answer).toMatchObject({ status: 201, json: { name: '', state: 'active' } });
  });

  test('waits without the code, and every administrator is asked once', async () => {
    const machine = await createMachine();
    const asked = { organization: 'coded', name: 'web-2' };
    expect(await register(running, machine, asked)).toMatchObject({
      status: 201,
      json: { state: 'pending' },
    });
    expect(await register(running, machine, asked)).toMatchObject({
      status: 200,
      json: { state: 'pending' },
    });
    expect(await approvals(machine.fingerprint)).toBe('2');
    expect(await openSession(running, machine)).toMatchObject(refused(403, 'client_pending'));
    expect(await register(running, machine, { ...asked, code: 'no' })).toMatchObject(
      refused(403, 'wrong_code'),
    );
    expect(await stateOf(machine.fingerprint)).toBe('pending|f');
    const withCode = await register(running, machine, { ...asked, code: CODE });
    expect(withCode).toMatchObject({ status: 200, json: { state: 'active' } });
    expect((await openSession(running, machine)).status).toBe(201);
  });

  test('waits without a mail where ten others wait, and is refused where a hundred do', async () => {
    await server.orgtool(['add', '-n', 'flood', '-c', 'a@flood.example', '--quiet']);
    await server.orgtool(['set-auth', '-n', 'flood', '-s', CODE, '--quiet']);
    const fill = (from: number, to: number) =>
      server.query(
        `insert into client (organization_id, fingerprint, name, public_key)
         select organization.id, lpad(number::text, 40, 'F'), '', 'a key'
         from organization, generate_series(${from}, ${to}) as number where organization.name = 'flood'`,
      );
    const [asked, quiet, late] = [await createMachine(), await createMachine(), await createMachine()];
    const flood = { organization: 'flood' };
    await fill(1, 9);
    expect(await register(running, asked, flood)).toMatchObject({ status: 201, json: { state: 'pending' } });
    expect(await approvals(asked.fingerprint)).toBe('1');
    for (const status of [201, 200])
      expect(await register(running, quiet, flood)).toMatchObject({ status, json: { state: 'pending' } });
    expect(await approvals(quiet.fingerprint)).toBe('0');
    await fill(10, 98);
    const refusal = await register(running, late, flood);
    expect(refusal).toMatchObject(refused(429, 'rate_limited'));
    expect(refusal.body).toContain('wait for approval');
    expect(await stateOf(late.fingerprint)).toBe('');
    expect((await register(running, quiet, flood)).status).toBe(200);
    expect(await register(running, late, { ...flood, code: CODE })).toMatchObject({ status: 201 });
    await server.query(`update client set state = 'disabled' where public_key = 'a key'`);
    await register(running, quiet, flood);
    expect(await approvals(quiet.fingerprint)).toBe('1');
  });

  test('that was stopped stays stopped, and belongs to one organization', async () => {
    const machine = await createMachine();
    await register(running, machine, { organization: 'coded', code: CODE });
    expect(await register(running, machine, { organization: 'other', code: CODE })).toMatchObject(
      refused(409, 'conflict'),
    );
    await server.orgtool(['disable-client', '--fingerprint', machine.fingerprint]);
    expect(await register(running, machine, { organization: 'coded', code: CODE })).toMatchObject(
      refused(403, 'client_disabled'),
    );
    expect(await stateOf(machine.fingerprint)).toBe('disabled|t');
  });

  test('may ask several times at once and is one client', async () => {
    const machine = await createMachine();
    const asked = { organization: 'coded', code: CODE };
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => register(running, machine, asked)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 200, 201]);
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
  });

  test.each([['cv25519'], ['rsa3072']])('with a key and signature of GnuPG: %s', async (kind) => {
    const ring = await keyring(server.directory, kind);
    const choice = kind === 'rsa3072' ? { kind: ['Key-Type: RSA', 'Key-Length: 3072'] } : {};
    const fingerprint = await ring.make('machine', choice);
    const publicKey = await ring.gpg(['--armor', '--export', fingerprint]);
    const challenge = String((await api(running, 'POST', '/v1/challenges')).json.challenge);
    const signature = await ring.gpg(['--armor', '--detach-sign'], { input: challenge });
    const body = { organization: 'coded', code: CODE, publicKey, challenge, signature };
    expect(await api(running, 'POST', '/v1/clients', { body })).toMatchObject({
      status: 201,
      json: { fingerprint },
    });
    const again = String((await api(running, 'POST', '/v1/challenges')).json.challenge);
    const proof = {
      challenge: again,
      signature: await ring.gpg(['--armor', '--detach-sign'], { input: again }),
    };
    const opened = await api(running, 'POST', '/v1/sessions', { body: { fingerprint, ...proof } });
    expect(opened.status).toBe(201);
  });
});

describe('refused are', () => {
  test('an unknown organization and a wrong code, in the same words', async () => {
    const machine = await createMachine();
    const wrong = await register(running, machine, { organization: 'coded', code: 'guess' });
    const unknown = await register(running, machine, { organization: 'nobody', code: CODE });
    const unknownWithout = await register(running, machine, { organization: 'nobody' });
    expect(wrong).toMatchObject(refused(403, 'wrong_code'));
    expect(unknown.body).toBe(wrong.body);
    expect(unknownWithout.body).toBe(wrong.body);
    expect(await stateOf(machine.fingerprint)).toBe('');
  });

  test('organizations that are disabled or have expired', async () => {
    await server.orgtool(['disable', '-n', 'other']);
    const machine = await createMachine();
    const asked = { organization: 'other', code: CODE };
    expect(await register(running, machine, asked)).toMatchObject(refused(403, 'organization_disabled'));
    await server.orgtool(['enable', '-n', 'other']);
    await server.query(`update organization set expires_at = now() where name = 'other'`);
    expect(await register(running, machine, asked)).toMatchObject(refused(403, 'organization_disabled'));
    await server.query(`update organization set expires_at = null where name = 'other'`);
  });

  test('the signature of another key, of another text, and a challenge that was used', async () => {
    const [machine, thief] = [await createMachine(), await createMachine()];
    const asked = { organization: 'coded', code: CODE, publicKey: machine.publicKey };
    const proof = await signedChallenge(running, machine);
    const foreign = await signedChallenge(running, thief);
    const { challenge } = await signedChallenge(running, machine);
    for (const signed of [foreign, { ...proof, challenge }, { ...proof, challenge: `${proof.challenge}x` }]) {
      const answer = await api(running, 'POST', '/v1/clients', { body: { ...asked, ...signed } });
      expect(answer).toMatchObject(refused(401, 'unauthenticated'));
    }
    expect((await api(running, 'POST', '/v1/clients', { body: { ...asked, ...proof } })).status).toBe(201);
    const replayed = await api(running, 'POST', '/v1/clients', { body: { ...asked, ...proof } });
    expect(replayed).toMatchObject(refused(401, 'unauthenticated'));
  });

  test('keys that are private, several, weak, or no keys', async () => {
    const machine = await createMachine();
    const second = await createMachine();
    const keys: [string, RegExp][] = [
      [machine.key.armor(), /private key/],
      [machine.publicKey + second.publicKey, /more than one key|not the armour/],
      ['-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnonsense\n', /not the armour/],
    ];
    const ring = await keyring(server.directory, 'weak');
    const strongPart = ['Subkey-Type: EDDSA', 'Subkey-Curve: ed25519', 'Subkey-Usage: sign'];
    const weak = await ring.make('weak', { kind: ['Key-Type: RSA', 'Key-Length: 1024', ...strongPart] });
    const old = await ring.make('old', { madeAt: '20200101T000000', expires: '1d' });
    keys.push([await ring.gpg(['--armor', '--export', weak]), /RSA needs/]);
    keys.push([await ring.gpg(['--armor', '--export', old]), /expired/]);
    for (const [publicKey, why] of keys) {
      const answer = await register(running, machine, { organization: 'coded', code: CODE, publicKey });
      expect(answer).toMatchObject(refused(400, 'invalid_request'));
      expect(answer.body).toMatch(why);
    }
  });

  test('what is not asked for like that, by the name of the field alone', async () => {
    const machine = await createMachine();
    const [long, secret] = ['x'.repeat(17_000), 'se\u0007cret'];
    const wrong = [
      { name: secret },
      { organization: 'a b' },
      { publicKey: long },
      { code: 7 },
      { signature: null },
    ];
    for (const field of wrong) {
      const answer = await register(running, machine, { organization: 'coded', code: CODE, ...field });
      expect(answer).toMatchObject(refused(400, 'invalid_request'));
      expect(answer.body).toContain(Object.keys(field)[0]);
      expect(answer.body).not.toContain('cret');
    }
  });

  test('addresses that guess, however many at once', async () => {
    const machine = await createMachine();
    const guess = (code: string) => register(running, machine, { organization: 'coded', code });
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_none, number) => guess(`guess ${number}`)),
    );
    const limited = answers.filter(({ status }) => status === 429);
    // Others of this file were wrong in the same minute.
    expect(limited.length).toBeGreaterThanOrEqual(50);
    expect(answers.length - limited.length).toBe(answers.filter(({ status }) => status === 403).length);
    expect(limited[0]).toMatchObject(refused(429, 'rate_limited'));
    expect(Number(limited[0]?.headers['retry-after'])).toBeGreaterThan(0);
    expect(await guess(CODE)).toMatchObject(refused(429, 'rate_limited'));
  });
});

test('every registration and refusal is in the audit trail, and no secret is', async () => {
  const machine = await createMachine();
  const wrong = { organization: 'open', code: 'not a secret of mine' };
  const proof = await signedChallenge(running, machine);
  const body = { ...wrong, ...proof, publicKey: machine.publicKey, organization: 'none' };
  const answer = await api(running, 'POST', '/v1/clients', { body });
  expect(answer.status).toBe(429);
  await register(running, machine, wrong);
  const directory = join(server.directory, 'audit');
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  const texts = files
    .filter((file) => file.isFile())
    .map((file) => readFile(join(file.parentPath, file.name), 'utf8'));
  const trail = (await Promise.all(texts)).join('');
  const lines = trail.split('\n').filter((line) => line.includes('"client.register"'));
  expect(lines.some((line) => line.includes('"done"') && line.includes('"pending"'))).toBe(true);
  expect(lines.some((line) => line.includes('"refused"') && line.includes('"wrong_code"'))).toBe(true);
  for (const secret of [CODE, wrong.code, proof.challenge, 'BEGIN PGP']) expect(trail).not.toContain(secret);
});
