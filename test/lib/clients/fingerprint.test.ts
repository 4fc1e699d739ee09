import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkFingerprint } from '../../../src/lib/clients/client.ts';

const digits = fc.stringMatching(/^[0-9A-F]{40}$/);

test('a fingerprint is read in every form in which people have it', () => {
  const group = (text: string, size: number, by: string) =>
    (text.match(new RegExp(`.{${size}}`, 'g')) ?? []).join(by);
  const form = fc.constantFrom<(text: string) => string>(
    (text) => text,
    (text) => text.toLowerCase(),
    (text) => group(text, 4, ' '),
    (text) => group(text, 2, ':'),
    (text) => ` ${text}\n`,
    (text) => `4096R/${text}`,
    (text) => `2048D/${text.toLowerCase()}`,
    (text) => `${group(text.slice(0, 20), 4, ' ')}  ${group(text.slice(20), 4, ' ')}`,
  );
  fc.assert(fc.property(digits, form, (text, write) => checkFingerprint(write(text)) === text));
});

test('anything else is refused', () => {
  const other = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[0-9A-F]{0,39}$/),
    fc.stringMatching(/^[0-9A-F]{41,60}$/),
    digits.map((text) => text.replace(/^./, 'G')),
    digits.map((text) => `0x${text}`),
    digits.map((text) => `${text}/4096R`),
  );
  fc.assert(
    fc.property(other, (text) => {
      expect(() => checkFingerprint(text)).toThrow(/ is not a fingerprint$/);
    }),
  );
});
