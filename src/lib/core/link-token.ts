import { createHash } from 'node:crypto';

/** What is kept of the token of a mailed link: its SHA-256. Whoever reads the database cannot follow the link. */
export function linkTokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
