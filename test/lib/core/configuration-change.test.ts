import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { changedText, changeSettings, restoreSettings } from '../../../src/lib/core/configuration-change.ts';
import { temporaryDirectory } from '../../support/sandbox.ts';

const TEXT = `{
  "LOCAL_FINGERPRINT":"4096R/0",   "SSL_CERTIFICATE" : "/old.pem",
\t"OURS": {"SSL_CERTIFICATE": "/kept", "list": [1, {"a": "},{"}]}, "BIG": 12345678901234567890,
  "SSL_CA_CERTIFICATE": "/ca.pem", "SMALL": 1.0e3
}
`;

test('a value is exchanged and everything else stays as it is written', () => {
  expect(changedText(TEXT, { SSL_CERTIFICATE: '/new "1".pem' })).toBe(
    TEXT.replace('"/old.pem"', String.raw`"/new \"1\".pem"`),
  );
});

test('a setting is taken out, wherever it stands', () => {
  expect(changedText(TEXT, { SSL_CA_CERTIFICATE: undefined })).toBe(
    TEXT.replace('"SSL_CA_CERTIFICATE": "/ca.pem", ', ''),
  );
  expect(changedText('{"a": 1, "b": "x"}', { b: undefined })).toBe('{"a": 1}');
  expect(changedText('{"b": "x", "a": [1], "b": {}}', { b: undefined })).toBe('{"a": [1]}');
  expect(changedText('{"b": "x"}', { b: undefined, c: undefined })).toBe('{}');
});

test('a setting that is not there comes last', () => {
  expect(changedText('{\n    "a": {"n": 1}\n}\n', { b: 'x' })).toBe(
    '{\n    "a": {"n": 1},\n    "b": "x"\n}\n',
  );
  expect(changedText('{"a":1}', { b: 'x', c: 'y' })).toBe('{"a":1,"b": "x","c": "y"}');
  expect(changedText('{ }', { b: 'x' })).toBe('{\n    "b": "x"\n}\n');
});

test('a change is taken back to the byte, or setting by setting where somebody else wrote meanwhile', async () => {
  const path = join(await temporaryDirectory(), 'keytrustee.conf');
  await writeFile(path, TEXT, { mode: 0o640 });
  const changed = await changeSettings(path, { SSL_CERTIFICATE: '/new.pem', SSL_CA_CERTIFICATE: undefined });
  expect((await stat(path)).mode & 0o777).toBe(0o640);
  const old = { SSL_CERTIFICATE: '/old.pem', SSL_CA_CERTIFICATE: '/ca.pem' };
  await restoreSettings(path, changed, old);
  expect(await readFile(path, 'utf8')).toBe(TEXT);
  await changeSettings(path, { SSL_CERTIFICATE: '/new.pem', SSL_CA_CERTIFICATE: undefined });
  await changeSettings(path, { SMALL: 'somebody else' });
  await restoreSettings(path, changed, old);
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ ...JSON.parse(TEXT), SMALL: 'somebody else' });
});

test('what is no JSON is left alone', async () => {
  const path = join(await temporaryDirectory(), 'keytrustee.conf');
  await writeFile(path, '{"a": 1');
  await expect(changeSettings(path, { a: 'x' })).rejects.toThrow(`${path} is not JSON`);
  expect(await readFile(path, 'utf8')).toBe('{"a": 1');
});
