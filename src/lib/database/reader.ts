import type { Client, QueryResult, QueryResultRow } from 'pg';
import { failure } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
import { within } from '../core/within.ts';
import { isUnavailable } from './availability.ts';
import type { Found } from './host.ts';
import { letGo } from './let-go.ts';
import { CLOSE_TIMEOUT, REMOTE, serverConnection } from './pool.ts';
import { type ExternalCluster, isExternal, type Source } from './source.ts';

/** A statement that is prepared once on each connection, under its name. */
export interface Statement {
  name: string;
  text: string;
  values: unknown[];
}

/** An answer. One of a host elsewhere that takes no writes may lack the newest: what it does not have may be there. */
export type Answer<Row extends QueryResultRow> = QueryResult<Row> & { isMakeshift?: boolean };

/**
 * Connections for short questions that change nothing. Each carries many at once: they are sent without waiting for the
 * answers to those before, and all that come up in one turn of the event loop are sent together. That halves what a
 * look-up costs this process. A question that takes long delays those behind it, so what may take long goes to the pool.
 */
export interface Reader {
  query<Row extends QueryResultRow>(statement: Statement): Promise<Answer<Row>>;
  /** Questions without an answer. */
  waiting(): number;
  end(): Promise<void>;
}

interface Line {
  client: Client;
  isOpen: boolean;
  /** The host elsewhere to which it leads. */
  found: Found | undefined;
  /** When one that leads to a host without the newest must be opened anew; milliseconds. */
  until: number;
}

/** How long a host that takes no writes is asked before it is looked again for one that does; milliseconds. */
const MAKESHIFT = 1000;

/** How often a question to a database elsewhere is asked. */
const TRIES = 3;

/** The part of pg's client that its types do not have. */
interface Inside {
  connection: { stream: { cork(): void; uncork(): void } };
}

async function openLine(source: Source): Promise<Line> {
  const { default: pg } = await load('pg');
  const found = isExternal(source) ? await source.route.anywhere() : undefined;
  const config = isExternal(source) ? { ...REMOTE, ...found?.config } : serverConnection(source);
  const client = new pg.Client({ ...config, pipeline: true });
  const until = found?.isPassive === true ? performance.now() + MAKESHIFT : Number.POSITIVE_INFINITY;
  const line: Line = { client, isOpen: true, found, until };
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
    letGo(client);
    if (isExternal(source)) source.route.forget(found);
    throw error;
  }
  return line;
}

/** Whether a line leads where it should: a host that has failed, or that stands in for another, is left. */
function isGood({ isOpen, found, until }: Line, source: Source): boolean {
  if (!isOpen || !isExternal(source)) return isOpen;
  return found?.isPassive === true ? performance.now() < until : found === source.route.known();
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

/** Says of an answer whose it is, and leaves a line that fails. */
async function judged<Row extends QueryResultRow>(
  asked: Promise<QueryResult<Row>>,
  line: Line,
  { route }: ExternalCluster,
): Promise<Answer<Row>> {
  try {
    return Object.assign(await asked, { isMakeshift: line.found?.isPassive === true });
  } catch (error) {
    if (isUnavailable(error)) {
      line.isOpen = false;
      void line.client.end().catch(() => undefined);
      route.forget(line.found);
    }
    throw error;
  }
}

/** Asks again where a host is lost meanwhile: a question changes nothing. */
async function persist<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries >= TRIES || !isUnavailable(error)) throw error;
    }
  }
}

/** Opens connections for questions. */
function openLines(source: Source, size: number): Reader {
  const lines: (Promise<Line> | undefined)[] = Array.from({ length: size });
  const open: (Line | undefined)[] = Array.from({ length: size });
  const corked = new Set<Client>();
  let turn = 0;
  let waiting = 0;
  let ended = false;
  async function lineAt(index: number): Promise<Line> {
    if (ended) throw failure('unreachable', 'the server is stopping');
    lines[index] ??= openLine(source);
    try {
      const line = await lines[index];
      open[index] = line;
      return line;
    } catch (error) {
      lines[index] = undefined;
      throw error;
    }
  }
  function ask<Row extends QueryResultRow>(line: Line, statement: Statement): Promise<Answer<Row>> {
    sendTogether(line.client, corked);
    const asked = line.client.query<Row>(statement);
    return isExternal(source) ? judged(asked, line, source) : asked;
  }
  /** What was asked on a line before is still answered there. */
  function leave(index: number, line: Line): void {
    lines[index] = open[index] = undefined;
    if (line.isOpen) void line.client.end().catch(() => undefined);
  }
  return {
    waiting: () => waiting,
    async query(statement) {
      const index = turn++ % size;
      waiting++;
      try {
        const known = open[index];
        if (known !== undefined && isGood(known, source)) return await ask(known, statement);
        if (known !== undefined) leave(index, known);
        return await ask(await lineAt(index), statement);
      } finally {
        waiting--;
      }
    },
    async end() {
      ended = true;
      const clients: Client[] = [];
      for (const line of lines) await line?.then(({ client }) => clients.push(client)).catch(() => undefined);
      await within(Promise.all(clients.map((client) => client.end())), CLOSE_TIMEOUT);
      clients.forEach(letGo);
    },
  };
}

/** Opens a reader of `size` connections; each is made when it is first needed, and again after it was lost. */
export function openReader(source: Source, size: number): Reader {
  const lines = openLines(source, size);
  if (!isExternal(source)) return lines;
  return { ...lines, query: (statement) => persist(() => lines.query(statement)) };
}
