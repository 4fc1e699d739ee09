/** `ktadmin config show`. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { refusal, said } from '../../support/refusal.ts';
import { type TestServer, temporaryDirectory, testServer } from '../../support/sandbox.ts';

/** What a file need not say. */
const DEFAULTS = {
  PORT: 11_371,
  SSL_MIN_VERSION: 'tlsv1.2',
  SSL_CIPHERS: '',
  WORKERS: 1,
  METRICS_PORT: 11_372,
  SESSION_SECONDS: 900,
  DEPOSIT_RECOVERY_DAYS: 30,
  HA_WRITE_POLICY: 'both',
  FREE_SPACE_MEGABYTES: 256,
  RATE_LIMIT_ADDRESS: 120,
  RATE_LIMIT_CLIENT: 6000,
  AUDIT_FILE_MEGABYTES: 64,
  MAIL_TRANSPORT: 'sendmail',
  SENDMAIL: '/usr/sbin/sendmail',
  SMTP_HOST: 'localhost',
  SMTP_PORT: 25,
  SMTP_TLS: 'opportunistic',
};

async function configuration({ confdir }: TestServer): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(confdir, 'keytrustee.conf'), 'utf8')) as Record<string, unknown>;
}

test('show prints every setting, also those that the file leaves to their defaults', async () => {
  const server = await testServer({ start: false });
  const { PORT: _, ...written } = await configuration(server);
  await writeFile(
    join(server.confdir, 'keytrustee.conf'),
    JSON.stringify({ ...written, MAIL_HOST: 'localhost' }),
  );
  const shown = said(await server.ktadmin(['config', 'show']));
  const all = { ...written, ...DEFAULTS, MAIL_HOST: 'localhost' };
  const width = Math.max(...Object.keys(all).map((name) => name.length)) + 2;
  const line = (name: string, value: unknown) => `${name.padEnd(width)}${String(value)}`.trimEnd();
  expect(shown).toMatchObject({ status: 0, stderr: '' });
  expect(shown.stdout.trimEnd().split('\n').toSorted()).toEqual(
    [line('setting', 'value'), ...Object.entries(all).map(([name, value]) => line(name, value))].toSorted(),
  );
  const asJson = await server.ktadmin(['config', 'show', '--json']);
  expect(JSON.parse(asJson.stdout)).toEqual(all);
});

test('show --origin says which values stand in the file', async () => {
  const server = await testServer({ start: false });
  const { PORT: _, ...written } = await configuration(server);
  await writeFile(join(server.confdir, 'keytrustee.conf'), JSON.stringify(written));
  const asJson = await server.ktadmin(['config', 'show', '--origin', '--json']);
  const inFile = Object.entries(written).map(([name, value]) => [name, { value, origin: 'file' }]);
  expect(JSON.parse(asJson.stdout)).toEqual({
    ...Object.fromEntries(
      Object.entries(DEFAULTS).map(([name, value]) => [name, { value, origin: 'default' }]),
    ),
    ...(Object.fromEntries(inFile) as object),
  });
  const asText = await server.ktadmin(['config', 'show', '--origin']);
  expect(asText.stdout).toMatch(/^setting +value +origin$/m);
  expect(asText.stdout).toMatch(/^PORT +11371 +default$/m);
  expect(asText.stdout).toMatch(/^EXTERNAL_ADDRESS +kts01\.example\.com +file$/m);
});

test('where there is no configuration, the command that makes one is named', async () => {
  const { ktadmin } = await testServer({ start: false });
  const directory = await temporaryDirectory();
  const empty = said(await ktadmin(['config', 'show', '--confdir', directory]));
  expect(empty).toEqual(
    refusal(
      3,
      `${directory} is not initialized: it has no keytrustee.conf`,
      `ktadmin init --confdir ${directory}, or ktadmin restore FILE where a server was lost`,
    ),
  );
  const missing = join(directory, 'nosuch');
  expect(said(await ktadmin(['config', 'show', '--confdir', missing]))).toEqual(
    refusal(
      3,
      `${missing} does not exist`,
      `ktadmin init --confdir ${missing}, or ktadmin restore FILE where a server was lost`,
    ),
  );
});
