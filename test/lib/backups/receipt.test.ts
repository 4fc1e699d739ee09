import { lstat, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  parseReceipt,
  printReceipt,
  type Receipt,
  readReceipt,
  receiptPath,
  writeReceipt,
} from '../../../src/lib/backups/receipt.ts';
import { confdirFiles } from '../../../src/lib/core/config.ts';
import { bareFingerprint } from '../../../src/lib/gpg/server-key.ts';
import { clearSign } from '../../../src/lib/gpg/signature.ts';
import { temporaryDirectory, testServer } from '../../support/sandbox.ts';

const NAME = 'kts_bak_kts01_example_com_2026-02-10_11-14-37.tar.gpg';

function receiptOf(fingerprint: string, change: Partial<Receipt> = {}): Receipt {
  return {
    format: 1,
    name: NAME,
    size: 4,
    sha256: 'a'.repeat(64),
    created: '2026-02-10T11:14:37.001Z',
    sequence: 7,
    host: 'kts01.example.com',
    fingerprint,
    recipients: [{ fingerprint: 'B'.repeat(40), userId: 'Jöhn <j@example.com>' }],
    rows: { deposit: 3 },
    encrypted: true,
    ...change,
  };
}

async function place() {
  const server = await testServer({ start: false });
  const files = confdirFiles(server.confdir);
  const sign = (text: string) => clearSign(files, bareFingerprint(server.fingerprint), text);
  const directory = await temporaryDirectory();
  const read = () => readReceipt(join(directory, NAME), files.publicKeys);
  return {
    fingerprint: server.fingerprint,
    sign,
    directory,
    read,
    path: join(directory, `${NAME}.receipt.asc`),
  };
}

test('what is written is read again, 0600, and never written over', async () => {
  const { fingerprint, sign, directory, read, path } = await place();
  expect(await read()).toBeUndefined();
  const receipt = receiptOf(fingerprint);
  expect(await writeReceipt(directory, receipt, sign)).toBe(path);
  expect((await lstat(path)).mode & 0o777).toBe(0o600);
  expect(await readFile(path, 'utf8')).toMatch(
    /^-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n\{\n {2}"format": 1,\n/,
  );
  expect(await read()).toEqual(receipt);
  await expect(writeReceipt(directory, receipt, sign)).rejects.toMatchObject({ code: 'EEXIST' });
  expect(await read()).toEqual(receipt);
});

test('a receipt that was changed, swapped, or is another server’s is refused', async () => {
  const { fingerprint, sign, directory, read, path } = await place();
  await writeReceipt(directory, receiptOf(fingerprint), sign);
  const good = await readFile(path, 'utf8');
  const refused = async (text: string, message: string) => {
    await writeFile(path, text);
    await expect(read(), message).rejects.toMatchObject({ code: 'untrusted', message });
  };
  await refused(good.replace('"size": 4', '"size": 5'), 'the signature is not good, or its key is not known');
  await refused(`${good}more`, 'the signature is not in the form that this program writes');
  await refused(
    printReceipt(receiptOf(fingerprint)),
    'the signature is not in the form that this program writes',
  );
  await refused('', 'the signature is not in the form that this program writes');
  const other = NAME.replace('37', '38');
  await refused(
    await sign(printReceipt(receiptOf(fingerprint, { name: other }))),
    `the receipt is that of ${other}, not of ${NAME}`,
  );
  const claimed = `4096R/${'C'.repeat(40)}`;
  await refused(
    await sign(printReceipt(receiptOf(claimed))),
    `the receipt names the server ${claimed}, but ${bareFingerprint(fingerprint)} signed it`,
  );
  await refused(await sign('{"format": 2}\n'), 'the receipt is not one that this version reads');
  await writeFile(path, 'x'.repeat(1024 * 1024 + 1));
  await expect(read()).rejects.toThrow(`${path} is no file of this program`);
});

test('a link in its place is not followed', async () => {
  const { fingerprint, sign, directory, read, path } = await place();
  await symlink('/etc/passwd', path);
  await expect(read()).rejects.toMatchObject({ code: 'ELOOP' });
  await expect(writeReceipt(directory, receiptOf(fingerprint), sign)).rejects.toMatchObject({
    code: 'EEXIST',
  });
});

test.each<[string, object]>([
  ['a later format', { format: 2 }],
  ['a path for a name', { name: '../x.tar' }],
  ['an empty file', { size: 0 }],
  ['half a byte', { size: 1.5 }],
  ['a short digest', { sha256: 'ab' }],
  ['a day that is none', { created: '2026-99-99T00:00:00Z' }],
  ['local time', { created: '2026-02-10T11:14:37+02:00' }],
  ['a sequence that no number holds', { sequence: 2 ** 60 }],
])('%s is no receipt', (_, change) => {
  const text = JSON.stringify({ ...receiptOf(`4096R/${'A'.repeat(40)}`), ...change });
  expect(() => parseReceipt(text)).toThrow('the receipt is not one that this version reads');
});

test('a receipt lies beside its set under its whole name', () => {
  expect(receiptPath('/x/a.tar.gpg')).toBe('/x/a.tar.gpg.receipt.asc');
});
