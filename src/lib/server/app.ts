import type { SecureContextOptions } from 'node:tls';
import { load } from '../core/lazy.ts';
import { fingerprintRoutes } from './routes/fingerprint.ts';
import type { App, Routes, Services } from './services.ts';

/** Every group of routes. */
const ROUTES: Routes[] = [fingerprintRoutes];

/** Makes the HTTPS application; it does not listen yet. */
export async function createApp(services: Services, tls: SecureContextOptions): Promise<App> {
  const { default: fastify } = await load('fastify');
  const app: App = fastify({ https: tls, bodyLimit: 64 * 1024 });
  for (const routes of ROUTES) await routes(app, services);
  return app;
}
