import { failure } from '../core/errors.ts';
import { quote } from '../core/quote.ts';

const NAME = /^[0-9A-Za-z_-]{1,128}$/;
const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const DOMAIN =
  /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/** The longest name of an organization and the longest mail address (RFC 5321, section 4.5.3.1), in characters. */
const NAME_LIMIT = 128;
const EMAIL_LIMIT = 254;
const SECRET_LIMIT = 1024;

/** Checks the name of an organization: letters, digits, hyphens and underscores, as the product's manual has it. */
export function checkOrganizationName(name: string): string {
  if (name.length > NAME_LIMIT) {
    throw failure(
      'usage',
      `${quote(name)} is ${name.length} characters long; an organization's name has at most ${NAME_LIMIT}`,
    );
  }
  if (!NAME.test(name)) {
    throw failure(
      'usage',
      `${quote(name)} is not an organization's name`,
      'use letters, digits, hyphens and underscores',
    );
  }
  return name;
}

/** Checks a mail address: `name@host`, where the host may be a local one without a dot. */
export function checkEmail(email: string): string {
  const at = email.lastIndexOf('@');
  const valid =
    email.length <= EMAIL_LIMIT &&
    at > 0 &&
    LOCAL_PART.test(email.slice(0, at)) &&
    DOMAIN.test(email.slice(at + 1));
  if (!valid) {
    throw failure(
      'usage',
      `${quote(email)} is not a mail address`,
      'give addresses like finn@example.com, separated by commas without spaces',
    );
  }
  return email;
}

/** Checks a comma-separated list of mail addresses; an address given twice counts once. */
export function checkContacts(list: string): string[] {
  return [...new Set(list.split(',').map(checkEmail))];
}

/** Checks an authorization code: any text of one line, or empty for automatic approval. */
export function checkSecret(secret: string): string {
  if (/\p{Cc}/u.test(secret))
    throw failure('usage', 'an authorization code is one line without control characters');
  // What is not UTF-8 arrives as this character: a client could never give the code that was meant.
  if (secret.includes('\ufffd'))
    throw failure('usage', 'an authorization code is text in UTF-8, and this one is not');
  if (Buffer.byteLength(secret) > SECRET_LIMIT)
    throw failure('usage', `an authorization code has at most ${SECRET_LIMIT} bytes`);
  return secret;
}

/**
 * Checks an authorization code that a person typed or a program piped: unlike an argument it must not be empty, for that
 * is what a program that failed leaves in a pipe, and it would let every client in.
 */
export function checkNewSecret(secret: string): string {
  if (secret === '')
    throw failure('usage', 'the authorization code is empty', 'to let clients in without a code, give -s ""');
  return checkSecret(secret);
}
