/** What the library takes and gives, in types that need no other module. */

/** Where a client's files lie, and what its work may cost. */
export interface ClientOptions {
  /** The client's directory. Default: `$KEYTRUSTEE_HOME`, else `~/.keytrustee`. */
  home?: string;
  /** Milliseconds after which one call gives up, retries included. Default: 60,000. */
  timeout?: number;
  /** Told what a person should know although the call goes on: an unchecked certificate, a server that did not answer. */
  warn?: (text: string) => void;
}

/** How a client is made known to a server. What is not said is as it was when it was registered before. */
export interface RegistrationRequest extends ClientOptions {
  /** `https://HOST[:PORT]`; the port is 11371 where none is named. */
  server?: string;
  /** The other server of a pair: what the server does not do is done there. */
  passiveServer?: string;
  organization?: string;
  /** The organization's authorization code. Without it, an administrator has to approve. */
  code?: string;
  /** What the administrators see; by default the host's name. */
  name?: string;
  /** PEM certificates that vouch for the server, or its own; kept in the client's directory. Default: the system's. */
  caCertificate?: string;
  /** Talks to whoever answers. For trials only. */
  skipSslCheck?: boolean;
}

/** What the server knows of a client. */
export interface ClientStatus {
  fingerprint: string;
  organization: string;
  name: string;
  state: 'pending' | 'active' | 'disabled';
  server: string;
}

/** What a server is: without a passive server; with one; the passive one; or replaced by it. */
export type ServerRole = 'alone' | 'active' | 'passive' | 'fenced';

/** How a server is. */
export interface ServerState {
  url: string;
  answers: boolean;
  /** Whether it says that it can serve. */
  ready: boolean;
  /** null: it does not say. */
  role: ServerRole | null;
  /** Whether it takes writes now; null: it does not say. */
  writes: boolean | null;
  /** Why it does not answer, or takes no writes; null where neither is so, or it does not say why. */
  reason: string | null;
}

/** What the server knows of a client, and how all its servers are. */
export interface ClientReport extends ClientStatus {
  servers: ServerState[];
}

/** How a deposit is to be kept. */
export interface PutOptions {
  /** A name of one's own for it: 1 to 255 bytes of UTF-8 without control characters, used once. */
  handle?: string;
  /** Seconds until the server forgets it. */
  ttl?: number;
  /** How often it can be fetched. */
  retrievals?: number;
}

/** A deposit, as the server lists it. Times are ISO 8601 in UTC. */
export interface Deposit {
  id: string;
  handle: string | null;
  /** Bytes that the server keeps: the content, encrypted. */
  size: number;
  /** SHA-256 of those bytes, hex. */
  sha256: string;
  created: string;
  expires: string | null;
  retrievalsLeft: number | null;
}

/** A deposit in a list. */
export interface ListedDeposit extends Deposit {
  /** When it was deleted; null: it was not. */
  deleted: string | null;
}

/** What was fetched, decrypted and verified. */
export interface Retrieved {
  id: string;
  handle: string | null;
  content: Uint8Array;
  retrievalsLeft: number | null;
}

/** A registered client. A deposit is named by its id or by its handle. */
export interface KeyTrusteeClient {
  fingerprint: string;
  server: string;
  put(content: Uint8Array, options?: PutOptions): Promise<Deposit>;
  get(name: string): Promise<Retrieved>;
  list(options?: { deleted?: boolean }): Promise<ListedDeposit[]>;
  delete(name: string): Promise<void>;
  /** Brings a deleted deposit back, as long as the server keeps it. */
  recover(id: string): Promise<Deposit>;
  status(): Promise<ClientReport>;
  /** Closes the connections. */
  close(): void;
}

/**
 * What a failed call that writes leaves: nothing that it sent was written; or nobody knows, because an answer was lost.
 * The same call again finds out: it stores nothing twice.
 */
export type Outcome = 'nothing-written' | 'unknown';

/**
 * What every call throws that a person can do something about. `code` is `state` (not registered, or not approved yet; no
 * server writes now), `permission` (stopped, or files with unsafe modes), `notFound`, `conflict`, `unreachable`, `untrusted`, `usage`, `failed`.
 */
export interface ClientError extends Error {
  name: 'KeyTrusteeError';
  code: string;
  hint: string | undefined;
  /** Of `put`, `delete`, `recover` and `registerClient`. */
  outcome?: Outcome;
}
