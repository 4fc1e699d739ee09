import { createServer, type Server, type ServerResponse } from 'node:http';
import { errorCode } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
import type { Log } from './log.ts';
import type { Running } from './running.ts';

/** Metrics are for programs on this host. */
const HOST = '127.0.0.1';

async function sendMetrics(running: Running, response: ServerResponse): Promise<void> {
  const { AggregatorRegistry } = await load('promClient');
  const registry = AggregatorRegistry.aggregate(await running.report());
  const text = await registry.metrics();
  response.writeHead(200, { 'content-type': registry.contentType }).end(text);
}

async function listen(server: Server, port: number, log: Log): Promise<void> {
  await new Promise<void>((resolve) => {
    server.once('error', (error) => {
      const hint = 'set METRICS_PORT in keytrustee.conf to another one, or to 0';
      const why = errorCode(error) === 'EADDRINUSE' ? 'is in use' : `cannot be opened (${errorCode(error)})`;
      log.warn({ hint }, `port ${port} on ${HOST} ${why}: there are no metrics`);
      resolve();
    });
    server.listen(port, HOST, resolve);
  });
}

/**
 * Has Prometheus find the metrics of all processes of the server, on 127.0.0.1 by HTTP. Where that port cannot be had, keys are
 * served all the same. Returns what ends it.
 */
export async function serveMetrics(port: number, running: Running, log: Log): Promise<() => void> {
  if (port === 0) return () => undefined;
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') return void response.writeHead(404).end();
    sendMetrics(running, response).catch((error: unknown) => {
      log.error({ err: error }, 'metrics could not be collected');
      response.writeHead(500).end();
    });
  });
  await listen(server, port, log);
  return () => {
    server.close();
    server.closeAllConnections();
  };
}
