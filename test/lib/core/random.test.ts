import { expect, test } from 'vitest';
import { randomSecret, randomSuffix, randomToken } from '../../../src/lib/core/random.ts';

test('tokens are 43 base-62 characters, all different, and every digit comes up', () => {
  const tokens = Array.from({ length: 2000 }, randomToken);
  for (const token of tokens) expect(token).toMatch(/^[0-9A-Za-z]{43}$/);
  expect(new Set(tokens).size).toBe(tokens.length);
  // 86,000 digits: that one of 62 is missing has a chance below 1e-600. The first stands for what 256 bits leave over.
  expect(new Set(tokens.join('')).size).toBe(62);
});

test('secrets are base64 of 16 bytes, all different', () => {
  const secrets = Array.from({ length: 1000 }, randomSecret);
  for (const secret of secrets) {
    expect(secret).toHaveLength(24);
    const bytes = Buffer.from(secret, 'base64');
    expect(bytes).toHaveLength(16);
    expect(bytes.toString('base64')).toBe(secret);
  }
  expect(new Set(secrets).size).toBe(secrets.length);
});

test('suffixes fit into file names and never repeat', () => {
  const suffixes = Array.from({ length: 1000 }, randomSuffix);
  for (const suffix of suffixes) expect(suffix).toMatch(/^[0-9a-f]{12}$/);
  expect(new Set(suffixes).size).toBe(suffixes.length);
});
