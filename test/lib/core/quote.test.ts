import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quote } from '../../../src/lib/core/quote.ts';

test('what is repeated stands on one line, is short, and holds nothing that a terminal obeys', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.string({ unit: fc.constantFrom('\u001b', '\u009b', '\u007f', '\u202e', '\u2028', '\r', 'a') }),
  );
  fc.assert(
    fc.property(text, (typed) => {
      expect(quote(typed)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u);
      if (typed.length <= 60) expect(JSON.parse(quote(typed))).toBe(typed);
      else expect(JSON.parse(quote(typed))).toBe(`${typed.slice(0, 60)}...`);
    }),
  );
});
