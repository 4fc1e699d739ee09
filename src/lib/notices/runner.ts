import { setTimeout as delay } from 'node:timers/promises';
import type { Runner, TaskList } from 'graphile-worker';
import type { Settings } from '../core/configuration.ts';
import type { Trail } from '../core/trail.ts';
import { within } from '../core/within.ts';
import type { Database } from '../database/connection.ts';
import { closePool, type DatabasePool, openPool, withPooled } from '../database/pool.ts';
import { sourceOf } from '../database/source.ts';
import type { MailJob } from '../mail/queue.ts';
import { deliver, withoutTokens } from './deliver.ts';
import type { Office } from './office.ts';
import { isWritable, type MailLog, recoverJobs, startRunner, takeTurn } from './session.ts';

/** What the sender of mails works with. `settings` and `chain` may be replaced while it runs. */
export interface MailServices {
  settings: Settings;
  /** The certificates that clients are shown now. */
  chain: Office['chain'];
  trail: Trail;
  log: MailLog;
}

/** Connections: the turn, the one that listens, and those of mails that are being sent. */
const POOL_SIZE = 5;

/** Milliseconds between two tries to begin, where the database is away or another process sends. */
const PAUSE = 2000;

/** Milliseconds that a stop waits at most: a mail that is just leaving is taken up again at the next start. */
const STOP_LIMIT = 6000;

/** All of it has to end in this time; milliseconds. */
const END_LIMIT = 2 * STOP_LIMIT;

async function giveUp(services: MailServices, job: MailJob, reason: string): Promise<void> {
  const { kind, contactId } = job;
  services.log.error(`mail: ${kind} to contact ${contactId} is given up: ${reason}`);
  const client = job.kind === 'approval' ? { client: job.clientId } : {};
  await services.trail.change({
    event: 'mail.failed',
    who: `account:${services.settings.account.name}`,
    from: 'local',
    what: { kind, contact: contactId, ...client },
    outcome: 'failed',
    reason,
  });
}

/** One mail of the queue. What it throws is kept as the reason, and the queue tries again later. */
function mailTask(services: MailServices, pool: DatabasePool): TaskList[string] {
  return async (payload, { job: { attempts, max_attempts: last }, abortSignal }) => {
    const job = payload as MailJob;
    const { settings, chain } = services;
    try {
      const isSent = await deliver({ pool, settings, chain, stop: abortSignal }, job);
      services.log.debug(
        `mail: ${job.kind} to contact ${job.contactId} ${isSent ? 'left' : 'is of no use any more'}`,
      );
    } catch (error) {
      // The server is stopping and waited long enough: the job keeps its lock, and the next start takes it up.
      if (abortSignal?.aborted) return new Promise<void>(() => undefined);
      const reason = withoutTokens(error);
      if (attempts >= last) {
        await giveUp(services, job, reason).catch((failed: unknown) => {
          services.log.error(`mail: not in the audit trail: ${withoutTokens(failed)}`);
        });
      }
      throw new Error(reason);
    }
  };
}

/** Whether mails leave at all now. */
const isOpen = ({ settings }: MailServices) => settings.configuration.MAIL_TRANSPORT !== 'none';

async function stopRunner(runner: Runner): Promise<void> {
  await within(
    runner.stop().catch(() => undefined),
    STOP_LIMIT,
  );
}

/** Waits for the end of a session: the stop, a lost connection, settings by which mails wait, or a pair that went on without it. */
async function watch(services: MailServices, turn: Database, over: AbortSignal): Promise<void> {
  while (!over.aborted && isOpen(services) && (await isWritable(turn)))
    await delay(PAUSE, undefined, { signal: over }).catch(() => undefined);
}

/** Sends what is in the queue until `stop` or until the database goes away. */
async function session(services: MailServices, pool: DatabasePool, stop: AbortSignal): Promise<void> {
  await withPooled(pool, async (turn) => {
    if (!(await takeTurn(turn))) return;
    const lost = new AbortController();
    turn.once('error', () => lost.abort());
    await recoverJobs(turn);
    const runner = await startRunner(pool, mailTask(services, pool), services.log);
    runner.promise.catch(() => undefined).finally(() => lost.abort());
    try {
      await watch(services, turn, AbortSignal.any([stop, lost.signal]));
    } finally {
      await stopRunner(runner);
      await turn.query('select pg_advisory_unlock_all()').catch(() => undefined);
    }
  });
}

async function work(services: MailServices, pool: DatabasePool, stop: AbortSignal): Promise<void> {
  let said = '';
  while (!stop.aborted) {
    try {
      if (isOpen(services)) await session(services, pool, stop);
      said = '';
    } catch (error) {
      const reason = withoutTokens(error);
      if (reason !== said) services.log.warn(`mail: waits: ${reason}`);
      said = reason;
    }
    await delay(PAUSE, undefined, { signal: stop }).catch(() => undefined);
  }
}

/** What sends mails. */
export interface MailSender {
  /** Lets mails that are just leaving finish, within a limit. */
  stop(): Promise<void>;
}

/**
 * Sends the mails of the queue in the background: one process of a server does, whoever has the turn. It outlives a stop of
 * the database and of the mail server.
 */
export function startMail(services: MailServices): MailSender {
  const stopping = new AbortController();
  const pool = openPool(sourceOf(services.settings), POOL_SIZE, { isBackground: true });
  const done = pool
    .then((opened) => work(services, opened, stopping.signal))
    .catch((error: unknown) => services.log.error(`mail: ended: ${withoutTokens(error)}`));
  return {
    async stop() {
      stopping.abort();
      // Where PostgreSQL says nothing any more, the session ends with its connections.
      await within(done, END_LIMIT);
      await closePool(await pool);
    },
  };
}
