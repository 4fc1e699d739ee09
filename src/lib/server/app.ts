import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { FastifyBaseLogger } from 'fastify';
import { load } from '../core/lazy.ts';
import { rawAnswer, useAnswers } from './answers.ts';
import { useSessions } from './authenticate.ts';
import { useHeaders } from './headers.ts';
import { LIMITS, type Limits, useRateLimits, useShedding } from './limits.ts';
import type { Log } from './log.ts';
import { type Metrics, useMetrics } from './metrics.ts';
import { usePosition } from './position.ts';
import { usePurging } from './purging.ts';
import { approvalPageRoutes } from './routes/approval-page.ts';
import { clientRoutes } from './routes/clients.ts';
import { contactPageRoutes } from './routes/contact-page.ts';
import { depositRoutes } from './routes/deposits.ts';
import { healthRoutes } from './routes/health.ts';
import { serverKeyRoutes } from './routes/server-key.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { styleRoutes } from './routes/style.ts';
import type { App, Routes, Services } from './services.ts';

/** The pages for people. */
const PAGES: Routes[] = [contactPageRoutes, approvalPageRoutes, styleRoutes, serverKeyRoutes];

/** Every group of routes. */
const ROUTES: Routes[] = [sessionRoutes, clientRoutes, healthRoutes, depositRoutes, ...PAGES];

function answerUnparsed(error: Error, socket: Socket): void {
  if (socket.destroyed || !socket.writable) return;
  socket.end(rawAnswer(error), () => socket.destroy());
}

async function createFastify(tls: SecureContextOptions, log: Log, limits: Limits): Promise<App> {
  const { fastify, LogController } = await load('fastify');
  const https = {
    ...tls,
    maxHeaderSize: limits.headers,
    headersTimeout: limits.headersTime,
    handshakeTimeout: limits.handshakeTime,
    connectionsCheckingInterval: limits.checkTime,
  };
  const app: App = fastify({
    https,
    // Requests are told of by a hook, at debug level alone; fastify tells of itself only what is wrong.
    loggerInstance: log.child({}, { level: 'warn' }) as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: (logger) => logger,
    clientErrorHandler: answerUnparsed,
    bodyLimit: limits.body,
    // Else a HEAD would be a GET: it would spend a retrieval of a deposit, and give nothing. The pages allow it.
    exposeHeadRoutes: false,
    // A handle has up to 255 bytes, each of which may be written as an escape.
    routerOptions: { maxParamLength: 1024 },
    requestTimeout: limits.requestTime,
    keepAliveTimeout: limits.keepAliveTime,
    // A request that comes on an open connection while the server stops is still answered, and is the last there.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
  });
  app.server.maxConnections = limits.connections;
  // Who listens on `::` sees IPv4 clients as ::ffff:192.0.2.1; and once a client has gone, Node no longer knows its address.
  app.server.on('secureConnection', (socket) => {
    const value = socket.remoteAddress?.replace(/^::ffff:(?=[0-9.]+$)/i, '');
    Object.defineProperty(socket, 'remoteAddress', { value });
  });
  return app;
}

function useRequestLog(app: App, log: Log): void {
  if (!log.isLevelEnabled('debug')) return;
  app.addHook('onResponse', (request, reply, done) => {
    const { method, ip: address, routeOptions } = request;
    const time = Math.round(reply.elapsedTime);
    log.debug({ method, route: routeOptions.url, status: reply.statusCode, time, address }, 'request');
    done();
  });
}

/** While the server stops, every answer is the last one of its connection. */
function useFarewell(app: App): void {
  let closing = false;
  app.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing) reply.header('connection', 'close');
    done();
  });
}

/** Makes the HTTPS application; it does not listen yet. */
export async function createApp(
  services: Services,
  tls: SecureContextOptions,
  limits: Limits = LIMITS,
): Promise<{ app: App; metrics: Metrics }> {
  const { log } = services;
  const app = await createFastify(tls, log, limits);
  useAnswers(app, services);
  useRequestLog(app, log);
  useFarewell(app);
  useHeaders(app);
  await useShedding(app, services, limits);
  usePosition(app, services);
  await useRateLimits(app, services);
  useSessions(app, services);
  const metrics = await useMetrics(app, services);
  usePurging(app, services);
  for (const routes of ROUTES) await routes(app, services);
  return { app, metrics };
}
