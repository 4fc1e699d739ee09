/** A client of a test server with a session, which puts and gets deposits over HTTPS as the interface says. */
import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:https';
import { createMachine, enroll, type Machine, openSession } from './machines.ts';
import type { TestServer } from './sandbox.ts';
import type { Serving } from './serving.ts';

/** An answer: its bytes, and what they say where they are JSON. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  json: Record<string, unknown>;
}

interface Question {
  body?: Buffer;
  headers?: Record<string, string>;
}

/** A client with a session. */
export interface Depositor {
  fingerprint: string;
  /** The header that shows its session. */
  authorization: string;
  /** Sends one request with the session. */
  ask(method: string, path: string, question?: Question): Promise<Answer>;
  /** Puts a text or bytes; `query` has no question mark, `headers` go over those that are needed. */
  put(content: string | Buffer, query?: string, headers?: Record<string, string>): Promise<Answer>;
}

/** The value of `Content-Digest`. */
export const digestOf = (content: string | Buffer) =>
  `sha-256=:${createHash('sha256').update(content).digest('base64')}:`;

/** The headers of a put. */
export const putHeaders = (content: string | Buffer) => ({
  'content-type': 'application/octet-stream',
  'content-digest': digestOf(content),
  'idempotency-key': randomBytes(16).toString('hex'),
});

function send(port: number, method: string, path: string, { body, headers = {} }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      method,
      path,
      headers,
      rejectUnauthorized: false,
      agent: false,
    };
    const asking = request(options, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(pieces);
        const isJson = /json/.test(response.headers['content-type'] ?? '');
        const json =
          isJson && bytes.length > 0 ? (JSON.parse(bytes.toString()) as Record<string, unknown>) : {};
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: bytes, json });
      });
    });
    asking.on('error', reject);
    asking.end(body);
  });
}

/** Makes an active client of an organization that exists, straight in the database, and opens its session. */
export async function depositor(
  server: TestServer,
  serving: Serving,
  organization: string,
): Promise<Depositor> {
  const machine = await createMachine();
  await enroll(server, machine, organization);
  return sessionAt(serving, machine);
}

/** Opens the session of a client that is active. */
export async function sessionAt(serving: Serving, machine: Machine): Promise<Depositor> {
  const opened = await openSession(serving, machine);
  if (opened.status !== 201) throw new Error(opened.body);
  const authorization = `Bearer ${String(opened.json.session)}`;
  const own: Depositor = {
    fingerprint: machine.fingerprint,
    authorization,
    ask: (method, path, { headers, ...rest } = {}) =>
      send(serving.port, method, path, { ...rest, headers: { authorization, ...headers } }),
    put: (content, query = '', headers = {}) =>
      own.ask('POST', `/v1/deposits?${query}`, {
        body: Buffer.from(content),
        headers: { ...putHeaders(content), ...headers },
      }),
  };
  return own;
}
