import { expect, test } from 'vitest';
import { describeKey, parseListing, unusableReason, usableUntil } from '../../../src/lib/gpg/listing.ts';

const FINGERPRINT = '0123456789ABCDEF0123456789ABCDEF01234567';

interface Choice {
  validity?: string;
  bits?: number;
  algorithm?: number;
  capabilities?: string;
  expires?: string;
  userId?: string;
  subkeys?: string;
}

function key(choice: Choice = {}): string {
  const { validity = '-', bits = 3072, algorithm = 1, capabilities = 'scESC', expires = '' } = choice;
  return [
    'tru::1:1600000000:0:3:1:5',
    `pub:${validity}:${bits}:${algorithm}:89ABCDEF01234567:1600000000:${expires}::-:::${capabilities}::::::23::0:`,
    `fpr:::::::::${FINGERPRINT}:`,
    `uid:-::::1600000000::HASH::${choice.userId ?? 'John Doe <doe@example.com>'}::::::::::0:`,
    choice.subkeys ?? 'sub:-:3072:1:FEDCBA9876543210:1600000000::::::e::::::23:',
    'fpr:::::::::FFFFFFFFFFFFFFFFFFFFFFFFFEDCBA9876543210:',
    '',
  ].join('\n');
}

const first = (choice?: Choice) => {
  const [found] = parseListing(key(choice));
  if (found === undefined) throw new Error('nothing parsed');
  return found;
};

test('a listing is read: primary fingerprint, user ids, subkeys', () => {
  expect(first()).toEqual({
    fingerprint: FINGERPRINT,
    validity: '-',
    algorithm: 1,
    bits: 3072,
    capabilities: 'scESC',
    expires: undefined,
    userIds: ['John Doe <doe@example.com>'],
    subkeys: [{ validity: '-', algorithm: 1, bits: 3072, capabilities: 'e', expires: undefined }],
  });
  expect(parseListing('')).toEqual([]);
  expect(parseListing(key() + key())).toHaveLength(2);
});

test.each<[string, Choice, string | undefined]>([
  ['an RSA key', {}, undefined],
  ['a revoked key', { validity: 'r' }, 'is revoked'],
  ['an expired key', { validity: 'e' }, 'has expired'],
  ['a key whose time is over', { expires: '1600000001' }, 'has expired'],
  ['a disabled key', { capabilities: 'scESCD' }, 'is disabled'],
  ['an invalid key', { validity: 'i' }, 'is not valid'],
  ['a sign-only key', { capabilities: 'scSC' }, 'cannot encrypt'],
  [
    'a DSA key with ElGamal',
    { algorithm: 17, bits: 1024, subkeys: 'sub:-:1024:16:FEDCBA9876543210:1600000000::::::e::::::23:' },
    'is a DSA or ElGamal key, which is too weak',
  ],
  ['a short RSA key', { bits: 1024 }, 'is an RSA key below 2048 bits, which is too weak'],
  [
    'a short encryption subkey',
    { subkeys: 'sub:-:1024:1:FEDCBA9876543210:1600000000::::::e::::::23:' },
    'is an RSA key below 2048 bits, which is too weak',
  ],
  [
    'a short subkey that is revoked',
    { subkeys: 'sub:r:1024:1:FEDCBA9876543210:1600000000::::::e::::::23:' },
    undefined,
  ],
])('%s', (_, choice, expected) => {
  expect(unusableReason(first(choice))).toBe(expected);
});

test('defect: a hostile user id reached the terminal', () => {
  const userId = 'Eve\\x1b[2J\\x0aINFO fine\\x3a \\x7f‮evil‬ \u009b31m <e@x>';
  const [found] = parseListing(key({ userId }));
  const shown = found === undefined ? '' : describeKey(found);
  expect(shown).toBe(
    `${FINGERPRINT} Eve\\x{1b}[2J\\x{a}INFO fine: \\x{7f}\\x{202e}evil\\x{202c} \\x{9b}31m <e@x>`,
  );
});

test('a name in another script stays readable', () => {
  expect(first({ userId: 'Jürgen 鍵 <j@x>' }).userIds).toEqual(['Jürgen 鍵 <j@x>']);
});

test.each<[string, string, string[], number | undefined]>([
  ['nothing ends', '', [''], undefined],
  ['the key ends', '1800000000', [''], 1_800_000_000],
  ['only the part that encrypts ends', '', ['1800000000'], 1_800_000_000],
  ['the key ends first', '1700000000', ['1800000000'], 1_700_000_000],
  ['a later part goes on', '', ['1700000000', '1800000000'], 1_800_000_000],
])('how long a key can be encrypted to: %s', (_, expires, parts, expected) => {
  const lines = parts.map((end) => `sub:-:3072:1:FEDCBA9876543210:1600000000:${end}:::::e::::::23:`);
  const [listed] = parseListing(key({ expires, subkeys: lines.join('\n') }));
  expect(listed && usableUntil(listed)?.getTime()).toBe(expected && expected * 1000);
});
