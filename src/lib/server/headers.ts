import type { App } from './services.ts';

/**
 * What every answer tells a browser: to trust nothing in it, to keep nothing of it, and to come back by HTTPS alone. A page
 * sets what it needs instead. The same as @fastify/helmet's, which computes them for each answer and takes as long for it
 * as everything else of a small answer.
 */
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'x-permitted-cross-domain-policies': 'none',
};

/** Gives every answer the headers that keep browsers strict. */
export function useHeaders(app: App): void {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(HEADERS);
    done();
  });
}
