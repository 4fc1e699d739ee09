/** `ktadmin config show`. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { refusal, said } from '../../support/refusal.ts';
import { type TestServer, temporaryDirectory, testServer } from '../../support/sandbox.ts';

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
  const width = 'SSL_PRIVATE_KEY'.length + 2;
  const line = (name: string, value: unknown) =>
    `${name.padEnd(Math.max(width, 'LOCAL_FINGERPRINT'.length + 2))}${String(value)}`;
  expect(shown).toMatchObject({ status: 0, stderr: '' });
  expect(shown.stdout.trimEnd().split('\n').toSorted()).toEqual(
    [
      line('setting', 'value'),
      ...Object.entries({ ...written, PORT: 11371, MAIL_HOST: 'localhost' }).map(([name, value]) =>
        line(name, value),
      ),
    ].toSorted(),
  );
  const asJson = await server.ktadmin(['config', 'show', '--json']);
  expect(JSON.parse(asJson.stdout)).toEqual({ ...written, PORT: 11371, MAIL_HOST: 'localhost' });
});

test('show --origin says which values stand in the file', async () => {
  const server = await testServer({ start: false });
  const { PORT: _, ...written } = await configuration(server);
  await writeFile(join(server.confdir, 'keytrustee.conf'), JSON.stringify(written));
  const asJson = await server.ktadmin(['config', 'show', '--origin', '--json']);
  const inFile = Object.entries(written).map(([name, value]) => [name, { value, origin: 'file' }]);
  expect(JSON.parse(asJson.stdout)).toEqual({
    ...(Object.fromEntries(inFile) as object),
    PORT: { value: 11371, origin: 'default' },
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
