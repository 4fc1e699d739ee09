import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const TOKEN_LENGTH = 43;

/** An identifier or link token as the original product has them: 43 base-62 characters that carry 256 random bits. */
export function randomToken(): string {
  let rest = BigInt(`0x${randomBytes(32).toString('hex')}`);
  let token = '';
  for (let index = 0; index < TOKEN_LENGTH; index += 1) {
    token = ALPHABET[Number(rest % 62n)] + token;
    rest /= 62n;
  }
  return token;
}

/** An authorization code as the original product makes them: base64 of 16 random bytes, 24 characters. */
export function randomSecret(): string {
  return randomBytes(16).toString('base64');
}

/** A short name for a temporary file or database that nobody else has. */
export function randomSuffix(): string {
  return randomBytes(6).toString('hex');
}
