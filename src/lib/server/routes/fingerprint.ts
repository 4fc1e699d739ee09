import type { Routes } from '../services.ts';

/** `GET /?a=fingerprint`: the server's OpenPGP fingerprint, `4096R/<40 hex>`, as the original product answers. */
export const fingerprintRoutes: Routes = (app, services) => {
  app.get<{ Querystring: { a?: unknown } }>('/', (request, reply) => {
    if (request.query.a !== 'fingerprint') return reply.callNotFound();
    return reply.type('text/plain; charset=utf-8').send(services.settings.configuration.LOCAL_FINGERPRINT);
  });
};
