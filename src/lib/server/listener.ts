import { auditDirectory, type Configuration, type Settings } from '../core/configuration.ts';
import { errorCode, explain, failure } from '../core/errors.ts';
import { openRoom } from '../core/room.ts';
import type { AuditEvent, OpenTrail } from '../core/trail.ts';
import { within } from '../core/within.ts';
import { closePool, openPool } from '../database/pool.ts';
import { openReader } from '../database/reader.ts';
import { isExternal, sourceOf } from '../database/source.ts';
import { keyThread } from '../gpg/key-thread.ts';
import { createApp } from './app.ts';
import { startBackground } from './background.ts';
import type { Log } from './log.ts';
import type { MetricsReport } from './metrics.ts';
import { reloadSettings } from './reload.ts';
import type { App, Services } from './services.ts';
import type { Started } from './started.ts';
import { openTls } from './tls.ts';

/** Connections to PostgreSQL of one process. */
const POOL_SIZE = 10;
/** Connections for look-ups of one process; each carries many at once. */
const READERS = 4;

/** How long what is in flight may take when the server stops; milliseconds. */
export const STOP_LIMIT = 30_000;

/** What goes on in the background is waited for so long, each; milliseconds. PostgreSQL may say nothing any more. */
const END_LIMIT = 2000;

/** What a process of the server needs to listen. */
export interface ListenRequest {
  settings: Settings;
  port: number;
  worker: number;
  log: Log;
  openTrail(worker: number): Promise<OpenTrail>;
  secret: Buffer;
  spend: Services['spend'];
}

/** A process of the server that listens. */
export interface Listener {
  address: string;
  /** Reads the settings and the certificate again; where they are not good, the old ones stay and it rejects. */
  reload(): Promise<void>;
  /** What it has measured. */
  report(): Promise<MetricsReport>;
  /** Finishes what is in flight and lets go of everything. */
  close(): Promise<void>;
}

function explainListen(error: unknown, port: number, host: string): unknown {
  const where = `port ${port} on ${host}`;
  switch (errorCode(error)) {
    case 'EADDRINUSE':
      return failure(
        'conflict',
        `${where} is in use`,
        `ss -ltnp 'sport = :${port}' shows by what; or set PORT in keytrustee.conf`,
      );
    case 'EACCES':
      return failure(
        'permission',
        `${where} may not be opened by this account`,
        'set PORT to 1024 or more; or give the service CAP_NET_BIND_SERVICE',
      );
    case 'EADDRNOTAVAIL':
      return failure(
        'failed',
        `${host} is no address of this host`,
        'correct LISTEN_ADDRESS in keytrustee.conf',
      );
    default:
      return error;
  }
}

async function listen(app: App, port: number, { LISTEN_ADDRESS }: Configuration): Promise<string> {
  const host = LISTEN_ADDRESS ?? '::';
  try {
    return await app.listen({ port, host });
  } catch (error) {
    // A host without IPv6 has no `::`.
    if (LISTEN_ADDRESS !== undefined || errorCode(error) !== 'EAFNOSUPPORT')
      throw explainListen(error, port, host);
    return await app.listen({ port, host: '0.0.0.0' });
  }
}

/** Notes in the audit trail what became of the server itself. */
function serverEvent(services: Services, event: string, error?: unknown): AuditEvent {
  return {
    ...{ event, who: `account:${services.settings.account.name}`, from: 'local' },
    what: { worker: services.worker },
    ...(error === undefined ? { outcome: 'done' } : { outcome: 'failed', reason: explain(error).message }),
  };
}

/** Closes everything, also where the trail cannot be: a connection that stays open keeps the process from ending. */
async function letGo({ trail, keys, pool, reader }: Services): Promise<void> {
  const failures: unknown[] = [];
  for (const each of [trail.close, keys.close, reader.end, () => closePool(pool)])
    await each().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

async function closeAll(app: App, services: Services, background: Started[]): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), STOP_LIMIT);
  await app.close();
  clearTimeout(timer);
  for (const { stop } of background) await within(stop(), END_LIMIT);
  try {
    await services.trail.change(serverEvent(services, 'server.stop'));
  } finally {
    await letGo(services);
  }
}

async function reload(app: App, services: Services, background: Started[]): Promise<void> {
  try {
    // Where a file of the trail was removed or changed, the next line begins a new one.
    const reason = await services.trail.reopen();
    if (reason !== undefined)
      services.log.warn({ reason }, 'the audit trail goes on in a new file, which says what is missing');
    await reloadSettings(app, services);
    await services.trail.change(serverEvent(services, 'server.reload'));
    for (const { reloaded } of background) reloaded?.();
  } catch (error) {
    await services.trail.change(serverEvent(services, 'server.reload', error));
    throw error;
  }
}

/** Tells that clients cannot add anything any more, and that they can again. */
const tellRoom = (log: Log) => (hasRoom: boolean) => {
  const hint = 'ktadmin doctor shows where; make room there, or lower FREE_SPACE_MEGABYTES';
  if (hasRoom) log.info('there is room again for deposits and clients');
  else log.error({ hint }, 'there is no room: deposits and new clients are refused');
};

async function openServices(request: ListenRequest, chain: Services['chain']): Promise<Services> {
  const { settings, worker, log, secret, spend } = request;
  const { confdir, configuration } = settings;
  const trail = await request.openTrail(worker);
  const source = sourceOf(settings);
  const pool = await openPool(source, POOL_SIZE);
  const reader = openReader(source, READERS);
  const audit = auditDirectory(confdir, configuration);
  // What is free where others run the database is their affair.
  const places = { database: isExternal(source) ? undefined : configuration.PG_ROOTDIR, audit };
  const room = openRoom(places, () => services.settings.configuration.FREE_SPACE_MEGABYTES, tellRoom(log));
  const services: Services = {
    ...{ settings, chain, pool, reader, trail, room, log, worker, secret, spend },
    keys: keyThread(),
  };
  return services;
}

/** Opens everything that one process of the server needs, and listens. */
export async function openListener(request: ListenRequest): Promise<Listener> {
  const { configuration } = request.settings;
  const { options, chain } = await openTls(configuration);
  const services = await openServices(request, chain);
  const { app, metrics } = await createApp(services, options);
  try {
    const address = await listen(app, request.port, configuration);
    await services.trail.change(serverEvent(services, 'server.start'));
    const background = await startBackground(services);
    return {
      ...{ address, report: metrics.report },
      reload: () => reload(app, services, background),
      close: () => closeAll(app, services, background),
    };
  } catch (error) {
    await app.close();
    await letGo(services);
    throw error;
  }
}
