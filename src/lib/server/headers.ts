import { load } from '../core/lazy.ts';
import type { App } from './services.ts';

/** What every answer tells a browser: to trust nothing in it, to keep nothing of it, and to come back by HTTPS alone. */
export async function useHeaders(app: App): Promise<void> {
  const { default: helmet } = await load('helmet');
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
      },
    },
    strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: false },
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
  });
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store');
    done();
  });
}
