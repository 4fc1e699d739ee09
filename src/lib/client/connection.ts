import type { ClientConfiguration } from './configuration.ts';
import type { ClientFiles } from './home.ts';
import type { Attempt, HttpAnswer, HttpRequest } from './http.ts';
import type { ClientKey } from './key.ts';
import type { Course } from './outcome.ts';
import { closePeers, type Peers, peersOf } from './peers.ts';
import { type Got, persist } from './retry.ts';
import { inSession, type Sessions } from './session.ts';
import type { ClientOptions } from './types.ts';
import { noteWriter, readWriter } from './writer.ts';

/** Milliseconds after which a call gives up where nothing else is said. */
export const TIMEOUT = 60_000;

/** A request in a session, and what it writes, where it writes. */
export interface Errand {
  request: HttpRequest;
  course?: Course;
}

/** What every call of a registered client works with. */
export interface Connection {
  files: ClientFiles;
  key: ClientKey;
  server: string;
  peers: Peers;
  timeout: number;
  /** Sends a request in a session, again and again where that may help; `judge` says what an answer means. */
  send<T>(errand: Errand, judge: (attempt: Attempt, answer: HttpAnswer) => Promise<T>): Promise<T>;
  close(): void;
}

/** Says, where a person should know, that nobody checks who the server is. */
export function warnUnchecked(isUnchecked: boolean | undefined, warn: ClientOptions['warn']): void {
  if (isUnchecked === true) warn?.("nobody checks the server's certificate: whoever answers is believed");
}

/** Says that another server than the one that was asked first did it, and why. */
export function warnOther({ all, writer }: Peers, got: Got<unknown>, warn: ClientOptions['warn']): void {
  const first = writer ?? all[0];
  const reason = first === undefined || first === got.peer ? undefined : got.passed.get(first);
  if (reason !== undefined) warn?.(`${reason}; ${got.peer.url} answered`);
}

/** Prepares the connections of a registered client; the first request opens one. */
export async function connect(
  files: ClientFiles,
  key: ClientKey,
  configuration: ClientConfiguration,
  { timeout = TIMEOUT, warn }: ClientOptions,
): Promise<Connection> {
  const { SERVER: server, PASSIVE_SERVER: passive } = configuration;
  const trust = { caCertificate: configuration.CA_CERTIFICATE, skipSslCheck: configuration.SKIP_SSL_CHECK };
  const peers = peersOf({ server, passive }, trust, await readWriter(files));
  const sessions: Sessions = new Map();
  warnUnchecked(configuration.SKIP_SSL_CHECK, warn);
  return {
    files,
    key,
    server,
    peers,
    timeout,
    async send(errand, judge) {
      const got = await persist(peers, { timeout, course: errand.course }, async (attempt) =>
        judge(attempt, await inSession(sessions, key, attempt, errand)),
      );
      warnOther(peers, got, warn);
      if (errand.course !== undefined) await noteWriter(files, peers, got.peer);
      return got.value;
    },
    close: () => closePeers(peers),
  };
}
