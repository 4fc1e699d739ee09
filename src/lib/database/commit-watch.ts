import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { load } from '../core/lazy.ts';
import type { Database } from './connection.ts';
import { IS_PASSIVE_HERE } from './writable.ts';

/** How often it is looked at commits that wait; milliseconds. One that is quicker is not looked at. */
const EVERY = 250;

/** A commit waits no longer for a passive server that is there, and does not keep up; milliseconds. */
const LONGEST = 15_000;

/** So long is waited for a PostgreSQL that does not answer at all; then the connection is cut; milliseconds. */
const SILENCE = 20_000;

/** What a look at PostgreSQL may take, connecting and asking each; milliseconds. */
const LOOK_LIMIT = 2000;

/**
 * Cancels the wait of commits whose passive server is away, and of those in $2 in any case. Whatever else a process does is
 * left alone, and a cancelled wait is always told to whoever waits: so a look that comes late does no harm.
 */
const CANCEL = `select pg_cancel_backend(pid) from pg_stat_activity
  where pid = any($1::integer[]) and wait_event = 'SyncRep' and (pid = any($2::integer[]) or not ${IS_PASSIVE_HERE})`;

/** The parts of pg's client that its types do not have. */
interface Inside {
  host: string;
  port: number;
  user: string;
  database: string;
  password: string | undefined;
  ssl: boolean;
  processID: number;
  connection: { stream: { destroy(): void } };
}

interface Waiting {
  client: Inside;
  since: number;
}

/** Commits that wait, by the server at which they do. */
const watches = new Map<string, Set<Waiting>>();

async function connectBeside({ host, port, user, database, password, ssl }: Inside): Promise<Client> {
  const { default: pg } = await load('pg');
  const client = new pg.Client({
    ...{ host, port, user, database, password, ssl, application_name: 'keytrustee-commits' },
    connectionTimeoutMillis: LOOK_LIMIT,
    query_timeout: LOOK_LIMIT,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    void client.end().catch(() => undefined);
    throw error;
  }
  return client;
}

async function cancelLost(client: Client, waiting: Set<Waiting>): Promise<void> {
  const late = [...waiting].filter(({ since }) => performance.now() - since > LONGEST);
  const pids = (of: Iterable<Waiting>) => [...of].map((one) => one.client.processID);
  await client.query(CANCEL, [pids(waiting), pids(late)]);
}

/** Looks at the commits of one server over one connection of its own, as long as any waits. */
async function lookAfter(place: string, waiting: Set<Waiting>): Promise<void> {
  let beside: Client | undefined;
  for (let [one] = waiting; one !== undefined; [one] = waiting) {
    try {
      beside ??= await connectBeside(one.client);
      await cancelLost(beside, waiting);
    } catch {
      void beside?.end().catch(() => undefined);
      beside = undefined;
    }
    for (const { client, since } of waiting)
      if (performance.now() - since > SILENCE) client.connection.stream.destroy();
    await delay(EVERY);
  }
  watches.delete(place);
  void beside?.end().catch(() => undefined);
}

function join(waiting: Waiting): () => void {
  const { host, port } = waiting.client;
  const place = `${host}:${port}`;
  const others = watches.get(place);
  const all = others ?? new Set();
  all.add(waiting);
  if (others === undefined) {
    watches.set(place, all);
    void lookAfter(place, all);
  }
  return () => void all.delete(waiting);
}

/**
 * Watches over a commit that is about to be sent, until the function that is returned is called. PostgreSQL would wait for a
 * passive server for ever, whatever its limits for statements (hazards RP-1, RP-2); here the wait ends as soon as the passive
 * server is known to be away, and after 15 s in any case. PostgreSQL then warns whoever waits.
 */
export function watchCommit(database: Database): () => void {
  const waiting: Waiting = { client: database as unknown as Inside, since: performance.now() };
  let leave: (() => void) | undefined;
  const timer = setTimeout(() => {
    leave = join(waiting);
  }, EVERY);
  return () => {
    clearTimeout(timer);
    leave?.();
  };
}
