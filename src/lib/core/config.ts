import { join } from 'node:path';

/** Where the configuration of a server lies when nothing else is said (the original product's place). */
export const DEFAULT_CONFDIR = '/var/lib/keytrustee/.keytrustee';

/** Where the key of a client's host lies that signs its sets, when nothing else is said. */
export const DEFAULT_SIGNING_HOME = '/var/lib/keytrustee-backup';

/** The service account when nothing else is said. */
export const DEFAULT_ACCOUNT = 'keytrustee';

/** Port of the private PostgreSQL cluster, of HTTPS, as the original product has them. */
export const DEFAULT_DATABASE_PORT = 11381;
export const DEFAULT_PORT = 11371;

/**
 * What the environment says. Only this module reads `process.env`; a flag always wins over it.
 * Nothing secret is ever taken from the environment.
 */
export const environment = {
  confdir: nonEmpty('KEYTRUSTEE_CONFDIR'),
  account: nonEmpty('KTADMIN_USER'),
  /** Set by this program for itself: this run goes on for a caller (handover.ts), whose name it is. */
  handover: nonEmpty('KTADMIN_HANDOVER'),
  /** Who called sudo, for the audit trail; without sudo it can be anything. */
  sudoUser: nonEmpty('SUDO_USER'),
  /** For tests of what a crash leaves: the step at which this process ends itself (steps.ts). */
  killAt: nonEmpty('KTADMIN_KILL_AT'),
  /** The same, for what befalls it at a step: there it stops until somebody lets it go on. */
  stopAt: nonEmpty('KTADMIN_STOP_AT'),
  pgBindir: nonEmpty('PG_BINDIR'),
  gnupgHome: nonEmpty('GNUPGHOME'),
  home: nonEmpty('HOME'),
  /** Where a client keeps its key and configuration; not the server's directory. */
  clientHome: nonEmpty('KEYTRUSTEE_HOME'),
  /** Where large files without a name lie; not /tmp, which is memory on many machines. */
  scratch: nonEmpty('TMPDIR') ?? '/var/tmp',
  path: nonEmpty('PATH') ?? '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
  /** Where the service manager listens for what a service tells of itself (sd_notify(3)). */
  notifySocket: nonEmpty('NOTIFY_SOCKET'),
  timezone: nonEmpty('TZ'),
  term: nonEmpty('TERM'),
  gpgTty: nonEmpty('GPG_TTY'),
  noColor: nonEmpty('NO_COLOR') !== undefined,
  forceColor: nonEmpty('FORCE_COLOR'),
} as const;

function nonEmpty(name: string): string | undefined {
  const value = process.env[name];
  return value === undefined || value === '' ? undefined : value;
}

/** Where programs are looked for: PATH, and the system directories, which PATH lacks under cron and after a plain `su`. */
export function searchPath(): string[] {
  const system = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return [...new Set([...environment.path.split(':').filter((place) => place !== ''), ...system])];
}

/** Tells the libraries that draw on a terminal, which look at the environment for themselves, to use no colour. */
export function forbidColor(): void {
  process.env.NO_COLOR = '1';
  delete process.env.FORCE_COLOR;
}

/** The environment of every child process: small and the same everywhere, so that cron and a terminal behave alike. */
export function childEnvironment(home: string): Record<string, string> {
  return {
    PATH: searchPath().join(':'),
    HOME: home,
    LC_ALL: 'C.UTF-8',
    ...(environment.timezone === undefined ? {} : { TZ: environment.timezone }),
    ...(environment.term === undefined ? {} : { TERM: environment.term }),
    ...(environment.gpgTty === undefined ? {} : { GPG_TTY: environment.gpgTty }),
  };
}

/** The files of a configuration directory, by the original product's names. */
export function confdirFiles(confdir: string) {
  const ssl = join(confdir, '.ssl');
  const replication = join(confdir, '.replication');
  return {
    configuration: join(confdir, 'keytrustee.conf'),
    logging: join(confdir, 'logging.conf'),
    gpg: join(confdir, 'gpg.conf'),
    publicKeys: join(confdir, 'pubring.kbx'),
    secretKeys: join(confdir, 'private-keys-v1.d'),
    trust: join(confdir, 'trustdb.gpg'),
    ssl,
    certificate: join(ssl, 'ssl-cert-keytrustee.pem'),
    privateKey: join(ssl, 'ssl-cert-keytrustee-pk.pem'),
    /** The authority of a pair of servers; both have it. */
    replication: {
      directory: replication,
      certificate: join(replication, 'authority.pem'),
      privateKey: join(replication, 'authority-key.pem'),
    },
  };
}

/** The environment of this program's own continuation: the caller's, and the caller's name, by which it knows. */
export function continuedEnvironment(caller: string): NodeJS.ProcessEnv {
  return { ...process.env, KTADMIN_HANDOVER: caller };
}
