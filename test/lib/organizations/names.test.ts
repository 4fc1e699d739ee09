import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyTrusteeError } from '../../../src/lib/core/errors.ts';
import {
  checkContacts,
  checkEmail,
  checkNewSecret,
  checkOrganizationName,
  checkSecret,
} from '../../../src/lib/organizations/names.ts';

const accepts = (check: () => unknown): boolean => {
  try {
    check();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(KeyTrusteeError);
    expect((error as KeyTrusteeError).code).toBe('usage');
    return false;
  }
};

const anything = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('a', 'Z', '0', '-', '_', ' ', '.', '@', ',', "'", '\n', 'é') }),
);

test('a name is taken exactly if it is 1 to 128 letters, digits, hyphens and underscores', () => {
  const valid = fc.stringMatching(/^[0-9A-Za-z_-]{1,128}$/);
  fc.assert(fc.property(valid, (name) => checkOrganizationName(name) === name));
  fc.assert(
    fc.property(anything, (name) => {
      const expected =
        name.length >= 1 && name.length <= 128 && [...name].every((c) => /[0-9A-Za-z_-]/.test(c));
      expect(accepts(() => checkOrganizationName(name))).toBe(expected);
    }),
  );
  expect(accepts(() => checkOrganizationName(`${'a'.repeat(128)}a`))).toBe(false);
});

test('what is taken as a mail address has one host behind one @, and nothing that a mail header or a list could split', () => {
  const part = fc.stringMatching(/^[a-z0-9]{1,10}$/);
  const valid = fc
    .tuple(part, fc.array(part, { minLength: 1, maxLength: 4 }))
    .map(([user, host]) => `${user}@${host.join('.')}`);
  fc.assert(fc.property(valid, (email) => checkEmail(email) === email));
  fc.assert(
    fc.property(
      fc.oneof(
        anything,
        fc.emailAddress(),
        fc.tuple(anything, anything).map((both) => both.join('@')),
      ),
      (email) => {
        if (!accepts(() => checkEmail(email))) return;
        expect(email).toMatch(/^[\x21-\x7e]{1,254}$/);
        expect(email).not.toMatch(/[,;:<>()[\]"\\ ]/);
        expect(email.split('@')).toHaveLength(2);
      },
    ),
  );
});

test('every ordinary mail address is taken', () => {
  const ordinary = fc.emailAddress().filter((email) => email.length <= 254);
  fc.assert(fc.property(ordinary, (email) => accepts(() => checkEmail(email))));
});

test.each([
  `${'a'.repeat(243)}@example.com`,
  'a@-example.com',
  'a@example..com',
  '.a@example.com',
  'a@',
  '@b',
  'a@b.',
])('no mail address: %s', (email) => expect(accepts(() => checkEmail(email))).toBe(false));

test('a list of contacts keeps its order and names each once', () => {
  const email = fc.stringMatching(/^[a-c]{1,2}@[d-e]{1,2}$/);
  fc.assert(
    fc.property(fc.array(email, { minLength: 1 }), (emails) => {
      const checked = checkContacts(emails.join(','));
      expect(checked).toEqual(emails.filter((each, index) => emails.indexOf(each) === index));
    }),
  );
});

test('a code is any text of one line that can be given again, up to 1024 bytes', () => {
  fc.assert(
    fc.property(fc.oneof(anything, fc.string({ unit: 'grapheme', maxLength: 600 })), (secret) => {
      const expected = !/[\p{Cc}\ufffd]/u.test(secret) && Buffer.byteLength(secret) <= 1024;
      expect(accepts(() => checkSecret(secret))).toBe(expected);
      expect(accepts(() => checkNewSecret(secret))).toBe(secret !== '' && accepts(() => checkSecret(secret)));
    }),
  );
});

test('no error repeats a code', () => {
  const secret = fc.string({ minLength: 8 }).map((text) => `C4nary${text}\n`);
  fc.assert(
    fc.property(secret, (text) => {
      expect(() => checkSecret(text)).toThrow(
        /^an authorization code is one line without control characters$/,
      );
    }),
  );
});
