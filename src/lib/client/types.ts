/** What the library takes and gives, in types that need no other module. */

/** Where a client's files lie, and what its work may cost. */
export interface ClientOptions {
  /** The client's directory. Default: `$KEYTRUSTEE_HOME`, else `~/.keytrustee`. */
  home?: string;
  /** Milliseconds after which one call gives up, retries included. Default: 60,000. */
  timeout?: number;
  /** Told what a person should know although the call goes on: an unchecked certificate, a passive server that answered. */
  warn?: (text: string) => void;
}

/** How a client is made known to a server. What is not said is as it was when it was registered before. */
export interface RegistrationRequest extends ClientOptions {
  /** `https://HOST[:PORT]`; the port is 11371 where none is named. */
  server?: string;
  /** Where to read when the server does not answer. */
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
  status(): Promise<ClientStatus>;
  /** Closes the connections. */
  close(): void;
}

/**
 * What every call throws that a person can do something about. `code` is `state` (not registered, or not approved yet),
 * `permission` (stopped, or files with unsafe modes), `notFound`, `conflict`, `unreachable`, `untrusted`, `usage`, `failed`.
 */
export interface ClientError extends Error {
  name: 'KeyTrusteeError';
  code: string;
  hint: string | undefined;
}
