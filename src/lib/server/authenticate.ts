import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import { type Session, sessionsOf } from '../clients/session.ts';
import { failure } from '../core/errors.ts';
import { Refusal } from '../core/refusal.ts';
import type { App, Services } from './services.ts';

declare module 'fastify' {
  interface FastifyRequest {
    session: Session | null;
  }
  interface FastifyContextConfig {
    /** Set where the route has the hook `app.authenticate`. */
    session?: boolean;
  }
  interface FastifyInstance {
    /** A hook for routes that only clients with a session may ask: `{ onRequest: app.authenticate }`. */
    authenticate: onRequestHookHandler;
  }
}

/**
 * Gives routes `app.authenticate`. It looks at the token alone, before the body is read; whether the client may still be
 * served is told by the route's own query: `STANDING` and `checkStanding` of lib/database/standing.ts.
 */
export function useSessions(app: App, services: Services): void {
  const sessions = sessionsOf(services.secret);
  app.decorateRequest('session', null);
  app.addHook('onRoute', (route) => {
    if (route.onRequest === app.authenticate) route.config = { ...route.config, session: true };
  });
  app.decorate('authenticate', (request, reply, done) => {
    const { authorization } = request.headers;
    const token =
      authorization !== undefined && /^bearer /i.test(authorization) ? authorization.slice(7) : '';
    request.session = sessions.check(token) ?? null;
    if (request.session === null) done(new Refusal('unauthenticated'));
    else done(app.limitClient(reply, request.session.fingerprint));
  });
}

/** The session of a request to a route that has the hook `app.authenticate`. */
export function sessionOf(request: FastifyRequest): Session {
  if (request.session === null) throw failure('bug', 'a route that needs a session has no hook for it');
  return request.session;
}
