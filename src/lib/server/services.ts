import type { X509Certificate } from 'node:crypto';
import type { Server } from 'node:https';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
} from 'fastify';
import type { Settings } from '../core/configuration.ts';
import type { Room } from '../core/room.ts';
import type { OpenTrail } from '../core/trail.ts';
import type { DatabasePool } from '../database/pool.ts';
import type { Reader } from '../database/reader.ts';
import type { KeyThread } from '../gpg/key-thread.ts';
import type { Log } from './log.ts';

/** The HTTPS application. */
export type App = FastifyInstance<
  Server,
  RawRequestDefaultExpression<Server>,
  RawReplyDefaultExpression<Server>,
  FastifyBaseLogger
>;

/** What the routes work with. `settings` is replaced as a whole when the configuration is read again. */
export interface Services {
  settings: Settings;
  /** The certificates that clients are shown, the server's own first; replaced when they are read again. */
  chain: X509Certificate[];
  pool: DatabasePool;
  /** For queries that only read and are quick. */
  reader: Reader;
  trail: OpenTrail;
  /** Whether clients may still add to what is kept. */
  room: Room;
  /** Looks at keys and signatures of strangers. */
  keys: KeyThread;
  /** Where the server tells of itself; never of a URL, a header or a body. */
  log: Log;
  /** Which of the server's processes this is, from 1. What only one of them does, the first does. */
  worker: number;
  /** Signs challenges and sessions: 32 random bytes that all workers of one run share and nobody else ever sees. */
  secret: Buffer;
  /** Takes a challenge out of use; false where it was used before. All workers of one run share the answer. */
  spend(challenge: string, expires: number): Promise<boolean>;
}

/** A group of routes. */
export type Routes = (app: App, services: Services) => void | Promise<void>;
