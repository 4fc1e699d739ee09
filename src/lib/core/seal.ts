import { createHmac, timingSafeEqual } from 'node:crypto';

/** Makes and recognizes texts of one purpose: its name, fields and a code over both, joined by dots. */
export interface Seal {
  /** Fields hold no dot. */
  close(fields: readonly string[]): string;
  /** The fields of a text that was closed with the same secret for the same purpose. */
  open(text: string): string[] | undefined;
}

/** 43 characters of base64url. */
const CODE_BYTES = 32;

/**
 * Seals texts with HMAC-SHA256. Each purpose has a key of its own, made from the secret, and stands in the text, so that
 * what was sealed for one purpose is never taken for another.
 */
export function sealFor(purpose: string, secret: Buffer): Seal {
  const key = createHmac('sha256', secret).update(purpose).digest();
  const codeOf = (body: string) => createHmac('sha256', key).update(body).digest();
  return {
    close(fields) {
      const body = [purpose, ...fields].join('.');
      return `${body}.${codeOf(body).toString('base64url')}`;
    },
    open(text) {
      const end = text.lastIndexOf('.');
      const body = text.slice(0, end);
      const code = Buffer.from(text.slice(end + 1), 'base64url');
      const isOurs = code.length === CODE_BYTES && timingSafeEqual(code, codeOf(body));
      const [named, ...fields] = body.split('.');
      // A code can be written in more than one way; only the one that we write counts, since a text is its own name.
      return isOurs && named === purpose && code.toString('base64url') === text.slice(end + 1)
        ? fields
        : undefined;
    },
  };
}
