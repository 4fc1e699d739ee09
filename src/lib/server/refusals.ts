import type { FastifyRequest } from 'fastify';
import type { RefusalCode } from '../core/refusal.ts';
import { floodNotes } from './floods.ts';
import type { App, Services } from './services.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the audit trail calls what this route does. A route that has none leaves no trace when it refuses. */
    event?: string;
  }
}

/** Writes into the audit trail that a request was refused, and whose it was, as far as that was shown. */
export type NoteRefusal = (
  request: FastifyRequest,
  reason: string,
  what: Record<string, string>,
) => Promise<void>;

/** Refusals that anybody can have as many of as they like: over a limit, or where the server takes nothing. */
const FLOODS: RefusalCode[] = ['rate_limited', 'no_room', 'read_only', 'fenced', 'passive_away'];
const FLOODING = new Set<string>(FLOODS);

/** Has refusals written into the audit trail; those that come in floods are counted there, because each would be a line. */
export function useRefusalNotes(app: App, { trail }: Services): NoteRefusal {
  const floods = floodNotes(trail);
  app.addHook('onClose', () => floods.flush());
  return async (request, reason, what) => {
    const { event } = request.routeOptions.config;
    if (event === undefined) return;
    const who = request.session === null ? 'unknown' : `client:${request.session.fingerprint}`;
    const refused = { event, who, from: request.ip, what, outcome: 'refused', reason } as const;
    await (FLOODING.has(reason) ? floods.note(refused) : trail.note(refused));
  };
}
