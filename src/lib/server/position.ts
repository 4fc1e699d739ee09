import { Refusal } from '../core/refusal.ts';
import { POSITION, type Position } from '../database/position.ts';
import type { Role } from '../database/replication/node.ts';
import type { App, Services } from './services.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Where the server stood a moment ago; undefined while the database has not answered yet. */
    position(): Position | undefined;
  }
}

/** Milliseconds between two looks. */
const EVERY = 1000;

/** What is told when a server becomes something else than it was. */
const WORDS: Record<Role, [level: 'info' | 'warn', text: string]> = {
  alone: ['info', 'this server is alone: it takes writes'],
  active: ['info', 'this server is active: it takes writes'],
  passive: ['info', 'this server is passive: it answers reads, and takes no writes'],
  fenced: ['warn', 'this server is fenced, because its pair went on without it: it answers nothing'],
};

function tell({ log, worker }: Services, { role }: Position, before: Position | undefined): void {
  if (worker !== 1 || role === (before?.role ?? 'alone')) return;
  const [level, text] = WORDS[role];
  log[level]({ role }, text);
}

/**
 * Looks every second what the server is in its pair. Whether a write is taken, and a read answered, is asked again in its own
 * query; this is for what asks the database nothing, and for telling. A fenced server answers nothing below /v1 but its health.
 */
export function usePosition(app: App, services: Services): void {
  let position: Position | undefined;
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    // A database that is down has no position, and is told by what needs it.
    const answer = await services.reader.query<Position>(POSITION).catch(() => undefined);
    const [now] = answer?.rows ?? [];
    if (now === undefined) return;
    tell(services, now, position);
    position = now;
  };
  const again = async (): Promise<void> => {
    await look();
    timer = setTimeout(() => void again(), EVERY).unref();
  };
  app.decorate('position', () => position);
  app.addHook('onListen', again);
  app.addHook('onClose', async () => clearTimeout(timer));
  app.addHook('onRequest', (request, _reply, done) => {
    const isRefused =
      position?.role === 'fenced' && /^\/v1\/(?!health\/)/.test(request.routeOptions.url ?? '');
    done(isRefused ? new Refusal('fenced') : undefined);
  });
}
