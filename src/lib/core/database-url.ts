/** How a connection to a host of a database cluster is guarded; the words are libpq's. */
const MODES = ['verify-full', 'require', 'disable'] as const;

/** A host of a database cluster that others run, as one URL of `DATABASE_URLS` names it. */
export interface DatabaseHost {
  host: string;
  port: number;
  user: string;
  database: string;
  /** Undefined where the URL has none. */
  password: string | undefined;
  sslmode: (typeof MODES)[number];
  sslrootcert: string | undefined;
  sslcert: string | undefined;
  sslkey: string | undefined;
}

const DEFAULT_PORT = 5432;
const DEFAULT_NAME = 'keytrustee';
const FILES = ['sslrootcert', 'sslcert', 'sslkey'] as const;

/** The most hosts that a cluster can have here. */
const MAX_URLS = 16;

const decoded = (text: string) => decodeURIComponent(text);

/** Reads one URL, or says what is wrong with it; never in the URL's own words, which may hold a password. */
export function parseDatabaseUrl(text: string): DatabaseHost | string {
  if (!/^postgres(?:ql)?:\/\//.test(text)) return 'must begin with postgresql://';
  // `postgresql://a:1,b:2/…` is libpq's: here every host has a URL of its own.
  if (/^[^/]*\/\/[^/?#]*,/.test(text.replace(/^([^/]*\/\/)[^@/?#]*@/, '$1')))
    return 'must name one host each';
  try {
    return readUrl(new URL(text));
  } catch {
    return 'must be URLs: a password with special characters has them as %XX';
  }
}

function readUrl({ hostname, port, username, password, pathname, searchParams, hash }: URL) {
  if (hostname === '') return 'must name a host each';
  if (hash !== '') return 'must not have a # (in a password it is %23)';
  const unknown = [...searchParams.keys()].find((key) => key !== 'sslmode' && !FILES.includes(key as never));
  if (unknown !== undefined) return `may have only sslmode, ${FILES.join(', ')} behind the question mark`;
  const sslmode = MODES.find((mode) => mode === (searchParams.get('sslmode') ?? MODES[0]));
  if (sslmode === undefined) return `must have an sslmode of ${MODES.join(', ')}`;
  const [sslrootcert, sslcert, sslkey] = FILES.map((name) => searchParams.get(name) ?? undefined);
  const files = [sslrootcert, sslcert, sslkey];
  if (files.some((path) => path?.startsWith('/') === false)) return 'must name files by absolute paths';
  if (sslmode === 'verify-full' && sslrootcert === undefined)
    return 'must have sslrootcert with sslmode=verify-full, which is the default';
  if (sslmode !== 'verify-full' && sslrootcert !== undefined)
    return 'must have sslmode=verify-full with sslrootcert, which else checks nothing';
  if ((sslcert === undefined) !== (sslkey === undefined))
    return 'must have sslcert and sslkey both, or neither';
  return {
    host: decoded(hostname.replace(/^\[|\]$/g, '')),
    port: port === '' ? DEFAULT_PORT : Number(port),
    user: decoded(username) || DEFAULT_NAME,
    database: decoded(pathname.slice(1)) || DEFAULT_NAME,
    password: password === '' ? undefined : decoded(password),
    ...{ sslmode, sslrootcert, sslcert, sslkey },
  };
}

/** Every host of `DATABASE_URLS`, whose values were found good. */
export function databaseHosts(urls: string[]): DatabaseHost[] {
  return urls.map(parseDatabaseUrl).filter((host) => typeof host !== 'string');
}

/** What is wrong with the list as a whole, or with one of it. */
export function databaseUrlsFault(urls: string[]): string | undefined {
  const parsed = urls.map(parseDatabaseUrl);
  const fault = parsed.find((host) => typeof host === 'string');
  if (fault !== undefined) return fault;
  const hosts = databaseHosts(urls);
  if (urls.length === 0 || urls.length > MAX_URLS) return `must be a list of 1 to ${MAX_URLS} URLs`;
  if (new Set(hosts.map(({ host, port }) => `${host}:${port}`)).size < hosts.length)
    return 'must name each host once';
  const isOne = hosts.every(
    ({ database, user }) => database === hosts[0]?.database && user === hosts[0].user,
  );
  return isOne ? undefined : 'must all name the same database and role: they are hosts of one cluster';
}

/** A host for people: never with a password. */
export function hostName({ host, port }: Pick<DatabaseHost, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** A URL as it may be shown: without its password. */
export function withoutPassword(url: string): string {
  return url.replace(/^([a-z]+:\/\/[^:@/?#]*):.*@/, '$1:***@');
}
