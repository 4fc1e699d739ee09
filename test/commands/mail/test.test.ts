import { chmod, chown, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { selfSignedCertificate } from '../../../src/lib/tls/self-signed.ts';
import {
  freePort,
  isRoot,
  run,
  sharedServer,
  temporaryDirectory,
  withoutDrop,
  world,
} from '../../support/sandbox.ts';
import { configure } from '../../support/serving.ts';
import { mailServer, partsOf, taken, textOf } from '../../support/smtp.ts';

const server = sharedServer();
const send = async (settings: Record<string, unknown>, to = 'finn@example.com') => {
  const clean = {
    SMTP_TLS: undefined,
    SMTP_CA_FILE: undefined,
    SMTP_USER: undefined,
    SMTP_PASSWORD_FILE: undefined,
  };
  await configure(server, { ...clean, MAIL_TRANSPORT: 'smtp', SMTP_HOST: 'localhost', ...settings });
  const answer = await server.ktadmin(['mail', 'test', '--to', to]);
  return { ...answer, stderr: withoutDrop(answer.stderr) };
};

/** A file of the service account. */
async function owned(directory: string, name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  await chmod(path, mode);
  if (isRoot) await chown(path, world.account.uid, world.account.gid);
  return path;
}

async function tls(host = 'localhost') {
  const { certificate, privateKey } = await selfSignedCertificate(host);
  const ca = await owned(await temporaryDirectory(), 'ca.pem', certificate);
  return { ca, options: { cert: certificate, key: privateKey, disabledCommands: ['AUTH'] } };
}

test('a mail is signed by the server’s key, as gpg sees it, and its outside is right', async () => {
  const smtp = await mailServer();
  const sent = await send({ SMTP_PORT: smtp.port });
  expect(sent).toMatchObject({
    status: 0,
    stdout: `localhost:${smtp.port} took the mail to finn@example.com over: 250 taken as number 1\n`,
  });
  expect(sent.stderr).toContain('whether it arrives is not known yet');
  const [mail] = smtp.mails;
  expect(mail).toMatchObject({
    from: 'keytrustee@kts01.example.com',
    to: ['finn@example.com'],
    isSecure: false,
  });
  const { headers } = taken(mail?.raw ?? '');
  expect(headers).toMatchObject({
    from: 'keytrustee@kts01.example.com',
    to: 'finn@example.com',
    subject: 'KeyTrustee Test Message',
    'auto-submitted': 'auto-generated',
    'mime-version': '1.0',
  });
  expect(headers['message-id']).toMatch(/^<[^@\s]+@kts01\.example\.com>$/);
  expect(Math.abs(Date.parse(headers.date ?? '') - Date.now())).toBeLessThan(600_000);
  expect(headers['content-type']).toMatch(
    /^multipart\/signed; micalg=pgp-sha512; protocol="application\/pgp-signature"; boundary="/,
  );
  const [signed = '', signature = ''] = partsOf(mail?.raw ?? '');
  const scratch = await temporaryDirectory();
  const [data, detached] = [
    await owned(scratch, 'signed', signed),
    await owned(scratch, 'signature.asc', taken(signature).body),
  ];
  const verify = [
    '--homedir',
    scratch,
    '--no-default-keyring',
    '--keyring',
    join(server.confdir, 'pubring.kbx'),
  ];
  const checked = await run('gpg', [...verify, '--status-fd', '1', '--verify', detached, data]);
  expect(checked.stdout).toContain(`VALIDSIG ${server.fingerprint.replace(/^.*\//, '')}`);
  expect(textOf(signed)).toContain('This is a test message of the Key Trustee Server\nkts01.example.com.\n');
  expect(
    Math.max(
      ...textOf(signed)
        .split('\n')
        .map(({ length }) => length),
    ),
  ).toBeLessThanOrEqual(76);
});

test('STARTTLS: opportunistic takes any certificate or none, required a trusted one only', async () => {
  const { ca, options } = await tls();
  const secure = await mailServer(options);
  const plain = await mailServer();
  expect((await send({ SMTP_PORT: secure.port })).status).toBe(0);
  expect(secure.mails[0]?.isSecure).toBe(true);
  const untrusted = await send({ SMTP_PORT: secure.port, SMTP_TLS: 'required' });
  expect(untrusted).toMatchObject({ status: 8, stdout: '' });
  expect(untrusted.stderr).toMatch(
    /^ktadmin: error: localhost:\d+: no trusted TLS: .*self.signed.*\nktadmin: hint: SMTP_CA_FILE names/,
  );
  const without = await send({ SMTP_PORT: plain.port, SMTP_TLS: 'required' });
  expect(without).toMatchObject({ status: 8, stdout: '' });
  expect(plain.mails).toEqual([]);
  expect((await send({ SMTP_PORT: secure.port, SMTP_TLS: 'required', SMTP_CA_FILE: ca })).status).toBe(0);
  const other = await send({
    SMTP_PORT: secure.port,
    SMTP_HOST: '127.0.0.1',
    SMTP_TLS: 'required',
    SMTP_CA_FILE: ca,
  });
  expect(other).toMatchObject({ status: 8 });
  expect(secure.mails).toHaveLength(2);
});

test('implicit TLS, and a name and password that only a trusted server gets', async () => {
  const { ca, options } = await tls();
  const given: unknown[] = [];
  const smtp = await mailServer({
    ...{ ...options, disabledCommands: [], secure: true, authOptional: false },
    onAuth({ username, password }, _session, done) {
      given.push([username, password]);
      if (password === 'correct horse') done(null, { user: username });
      else done(new Error('wrong'));
    },
  });
  const scratch = await temporaryDirectory();
  const implicit = { SMTP_PORT: smtp.port, SMTP_TLS: 'implicit', SMTP_CA_FILE: ca, SMTP_USER: 'kts' };
  const right = await owned(scratch, 'right', 'correct horse\nsecond line\n');
  expect((await send({ ...implicit, SMTP_PASSWORD_FILE: right })).status).toBe(0);
  expect(smtp.mails[0]).toMatchObject({ isSecure: true, user: 'kts' });
  const open = await owned(scratch, 'open', 'correct horse\n', 0o640);
  const unsafe = await send({ ...implicit, SMTP_PASSWORD_FILE: open });
  expect(unsafe).toMatchObject({ status: 4 });
  expect(unsafe.stderr).toContain(
    `SMTP_PASSWORD_FILE ${open} can be read by others\nktadmin: hint: chmod 0600`,
  );
  const wrong = await send({ ...implicit, SMTP_PASSWORD_FILE: await owned(scratch, 'wrong', 'hunter2\n') });
  expect(wrong).toMatchObject({ status: 4 });
  expect(wrong.stdout + wrong.stderr).not.toContain('hunter2');
  const untrusted = await send({ ...implicit, SMTP_CA_FILE: undefined, SMTP_PASSWORD_FILE: right });
  expect(untrusted).toMatchObject({ status: 8 });
  expect(given).toEqual([
    ['kts', 'correct horse'],
    ['kts', 'hunter2'],
  ]);
});

test('a password does not go over a network in clear', async () => {
  const scratch = await temporaryDirectory();
  const secret = { SMTP_USER: 'kts', SMTP_PASSWORD_FILE: await owned(scratch, 'p', 'hunter2\n') };
  const off = await send({ ...secret, SMTP_HOST: 'mail.example.com', SMTP_TLS: 'off' });
  expect(off).toMatchObject({ status: 3 });
  expect(off.stderr).toContain('the password would go in clear: SMTP_TLS is off');
});

test('a refusal, a server that is not there, one that says nothing', async () => {
  const smtp = await mailServer({
    onRcptTo: (_address, _session, done) =>
      done(Object.assign(new Error('who is that'), { responseCode: 550 })),
  });
  const refused = await send({ SMTP_PORT: smtp.port });
  expect(refused).toMatchObject({ status: 1, stdout: '' });
  expect(refused.stderr).toMatch(/^ktadmin: error: localhost:\d+ refuses the mail: .*550 .*who is that\n$/);
  const absent = await send({ SMTP_PORT: await freePort() });
  expect(absent).toMatchObject({ status: 7, stdout: '' });
  const silent = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void silent.close());
  const cut = await send({ SMTP_PORT: (silent.address() as { port: number }).port });
  expect(cut).toMatchObject({ status: 7, stdout: '' });
});

test('sendmail gets mail, sender and addressee; its failure is told; with none mails wait', async () => {
  const scratch = await temporaryDirectory();
  const program = await owned(
    scratch,
    'sendmail',
    `#!/bin/sh\nprintf '%s\\n' "$@" > ${scratch}/words; cat > ${scratch}/mail\n`,
    0o700,
  );
  const sent = await send({ MAIL_TRANSPORT: 'sendmail', SENDMAIL: program, MAIL_FROM: 'kts@example.org' });
  expect(sent).toMatchObject({ status: 0 });
  expect(sent.stdout).toMatch(/ took the mail to finn@example.com over: exit status 0\n$/);
  expect(sent.stdout + sent.stderr).not.toContain('delivered');
  expect(await readFile(join(scratch, 'words'), 'utf8')).toBe('-i\n-f\nkts@example.org\nfinn@example.com\n');
  expect(partsOf((await readFile(join(scratch, 'mail'), 'latin1')).replace(/\r?\n/g, '\r\n'))).toHaveLength(
    2,
  );
  await writeFile(program, '#!/bin/sh\ncat > /dev/null; echo "queue file: disk full" >&2; exit 75\n');
  const failed = await send({ MAIL_TRANSPORT: 'sendmail', SENDMAIL: program });
  expect(failed).toMatchObject({
    status: 1,
    stderr: `ktadmin: error: ${program} failed (exit status 75): queue file: disk full\n`,
  });
  expect(await send({ MAIL_TRANSPORT: 'sendmail', SENDMAIL: join(scratch, 'none') })).toMatchObject({
    status: 5,
  });
  expect(await send({ MAIL_TRANSPORT: 'none' })).toMatchObject({ status: 3 });
  expect(await send({}, 'nobody')).toMatchObject({ status: 2 });
});
