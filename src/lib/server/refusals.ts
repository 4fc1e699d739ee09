import type { FastifyRequest } from 'fastify';
import type { Services } from './services.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the audit trail calls what this route does. A route that has none leaves no trace when it refuses. */
    event?: string;
  }
}

/** Writes into the audit trail that a request was refused, and whose it was, as far as that was shown. */
export async function noteRefusal(
  { trail }: Services,
  request: FastifyRequest,
  reason: string,
  what: Record<string, string>,
): Promise<void> {
  const { event } = request.routeOptions.config;
  if (event === undefined) return;
  const who = request.session === null ? 'unknown' : `client:${request.session.fingerprint}`;
  await trail.note({ event, who, from: request.ip, what, outcome: 'refused', reason });
}
