import type { Client, QueryResult, QueryResultRow } from 'pg';
import { failure } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
import type { Cluster } from './cluster.ts';
import { serverConnection } from './pool.ts';

/** A statement that is prepared once on each connection, under its name. */
export interface Statement {
  name: string;
  text: string;
  values: unknown[];
}

/**
 * Connections for short questions that change nothing. Each carries many at once: they are sent without waiting for the
 * answers to those before, and all that come up in one turn of the event loop are sent together. That halves what a
 * look-up costs this process. A question that takes long delays those behind it, so what may take long goes to the pool.
 */
export interface Reader {
  query<Row extends QueryResultRow>(statement: Statement): Promise<QueryResult<Row>>;
  /** Questions without an answer. */
  waiting(): number;
  end(): Promise<void>;
}

interface Line {
  client: Client;
  isOpen: boolean;
}

/** The part of pg's client that its types do not have. */
interface Inside {
  connection: { stream: { cork(): void; uncork(): void } };
}

async function openLine(cluster: Cluster): Promise<Line> {
  const { default: pg } = await load('pg');
  const client = new pg.Client({ ...serverConnection(cluster), pipeline: true });
  const line: Line = { client, isOpen: true };
  const close = () => {
    line.isOpen = false;
  };
  // Whoever waits for an answer is told by the query; the next question opens a new connection.
  client.on('error', close);
  client.on('end', close);
  try {
    await client.connect();
  } catch (error) {
    close();
    await client.end().catch(() => undefined);
    throw error;
  }
  return line;
}

/** Sends what is asked in this turn of the event loop in one piece. */
function sendTogether(client: Client, corked: Set<Client>): void {
  if (corked.has(client)) return;
  corked.add(client);
  const { stream } = (client as unknown as Inside).connection;
  stream.cork();
  setImmediate(() => {
    corked.delete(client);
    stream.uncork();
  });
}

/** Opens a reader of `size` connections; each is made when it is first needed, and again after it was lost. */
export function openReader(cluster: Cluster, size: number): Reader {
  const lines: (Promise<Line> | undefined)[] = Array.from({ length: size });
  const open: (Line | undefined)[] = Array.from({ length: size });
  const corked = new Set<Client>();
  let turn = 0;
  let waiting = 0;
  let ended = false;
  async function lineAt(index: number): Promise<Line> {
    if (ended) throw failure('unreachable', 'the server is stopping');
    lines[index] ??= openLine(cluster);
    try {
      const line = await lines[index];
      open[index] = line;
      return line;
    } catch (error) {
      lines[index] = undefined;
      throw error;
    }
  }
  function ask<Row extends QueryResultRow>(
    { client }: Line,
    statement: Statement,
  ): Promise<QueryResult<Row>> {
    sendTogether(client, corked);
    return client.query<Row>(statement);
  }
  return {
    waiting: () => waiting,
    async query(statement) {
      const index = turn++ % size;
      waiting++;
      try {
        const known = open[index];
        if (known?.isOpen === true) return await ask(known, statement);
        if (known !== undefined) lines[index] = open[index] = undefined;
        return await ask(await lineAt(index), statement);
      } finally {
        waiting--;
      }
    },
    async end() {
      ended = true;
      await Promise.all(lines.map(async (line) => (await line?.catch(() => undefined))?.client.end()));
    },
  };
}
