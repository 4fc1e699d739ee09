import type { ClientConfiguration } from './configuration.ts';
import type { ClientFiles } from './home.ts';
import { type HttpAnswer, type HttpRequest, peerAt, type Trust } from './http.ts';
import type { ClientKey } from './key.ts';
import { type Attempt, type Peers, persist } from './retry.ts';
import { inSession, type Sessions } from './session.ts';
import type { ClientOptions } from './types.ts';

const TIMEOUT = 60_000;

/** What every call of a registered client works with. */
export interface Connection {
  files: ClientFiles;
  key: ClientKey;
  server: string;
  /** Sends a request in a session, again and again where that may help; `judge` says what an answer means. */
  send<T>(
    request: HttpRequest,
    isRead: boolean,
    judge: (attempt: Attempt, answer: HttpAnswer) => Promise<T>,
  ): Promise<T>;
  close(): void;
}

/** The servers of a client. */
export function peersOf(server: string, passive: string | undefined, trust: Trust): Peers {
  const urls = passive === undefined ? [server] : [server, passive];
  return { all: urls.map((url) => peerAt(url, trust)), silentSince: new Map() };
}

/** Closes every connection. */
export function closePeers({ all }: Peers): void {
  for (const { agent } of all) agent.destroy();
}

/** Says, where a person should know, that nobody checks who the server is. */
export function warnUnchecked(isUnchecked: boolean | undefined, warn: ClientOptions['warn']): void {
  if (isUnchecked === true) warn?.("nobody checks the server's certificate: whoever answers is believed");
}

/** Prepares the connections of a registered client; the first request opens one. */
export function connect(
  files: ClientFiles,
  key: ClientKey,
  configuration: ClientConfiguration,
  { timeout = TIMEOUT, warn }: ClientOptions,
): Connection {
  const { SERVER: server, PASSIVE_SERVER: passive } = configuration;
  const trust = { caCertificate: configuration.CA_CERTIFICATE, skipSslCheck: configuration.SKIP_SSL_CHECK };
  const peers = peersOf(server, passive, trust);
  const sessions: Sessions = new Map();
  warnUnchecked(configuration.SKIP_SSL_CHECK, warn);
  return {
    files,
    key,
    server,
    send: (request, isRead, judge) =>
      persist(peers, { isRead, timeout }, async (attempt) => {
        const result = await judge(attempt, await inSession(sessions, key, attempt, request));
        if (attempt.peer !== peers.all[0]) warn?.(`${server} does not answer; ${attempt.peer.url} did`);
        return result;
      }),
    close: () => closePeers(peers),
  };
}
