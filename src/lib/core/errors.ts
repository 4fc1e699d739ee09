/** Exit statuses, one table in one place: added to, never renumbered. `128+n` (signal n) is made where a signal arrives. */
export const STATUS = {
  done: 0,
  failed: 1,
  usage: 2,
  state: 3,
  permission: 4,
  notFound: 5,
  conflict: 6,
  unreachable: 7,
  untrusted: 8,
  bug: 70,
  locked: 75,
} as const;

/** The name of an exit status: also the `code` of an error printed as JSON. */
export type StatusName = keyof typeof STATUS;

/** What each status means, for help texts and manual pages. */
export const STATUS_MEANING: Record<StatusName, string> = {
  done: 'done',
  failed: 'failed',
  usage: 'wrong usage',
  state: 'wrong state: not initialized, or the database does not run',
  permission: 'permission: wrong user, or unsafe modes',
  notFound: 'not found',
  conflict: 'exists already, or conflicts',
  unreachable: 'unreachable: database, peer or mail server',
  untrusted: 'not trusted: signature, digest, passphrase or certificate',
  bug: 'a defect of this program',
  locked: 'locked by another run',
};

/** One of several reasons for which something was refused; its code never changes. */
export interface ErrorFault {
  code: string;
  message: string;
  hint: string;
}

/** An error that is meant for the person who typed the command: what happened, and what to do next. Never holds a secret. */
export class KeyTrusteeError extends Error {
  override name = 'KeyTrusteeError';
  readonly code: StatusName;
  readonly hint: string | undefined;
  /** Each for itself what the message tells together, for programs. */
  faults?: readonly ErrorFault[];
  /** Of a client's call that writes: whether something may have been written all the same. */
  outcome?: 'nothing-written' | 'unknown';

  constructor(code: StatusName, message: string, hint?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
  }
}

/** Makes the error with which a command ends: `throw failure('notFound', …, hint)`. */
export function failure(code: StatusName, message: string, hint?: string, cause?: unknown): KeyTrusteeError {
  return new KeyTrusteeError(code, message, hint, cause);
}

/** The system's name of an error (`ENOENT`, or an SQLSTATE), where it has one. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Whether it is space that was missing. */
export function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(errorCode(error) ?? '');
}

const SYSTEM_MESSAGES: Record<string, [StatusName, string, string?]> = {
  ENOSPC: ['failed', 'no space left on device', 'free some space and run the command again'],
  EDQUOT: ['failed', 'disk quota exceeded', 'free some space and run the command again'],
  EFBIG: ['failed', 'file too large for the file system or the limit of this process'],
  EACCES: ['permission', 'permission denied'],
  EPERM: ['permission', 'operation not permitted'],
  EROFS: ['failed', 'read-only file system'],
  ENOENT: ['notFound', 'no such file or directory'],
  EEXIST: ['conflict', 'exists already'],
  ENOTEMPTY: ['conflict', 'is not empty'],
  ENAMETOOLONG: ['usage', 'the path is too long'],
  ELOOP: ['failed', 'is a symbolic link, which is not followed here'],
  EISDIR: ['failed', 'is a directory'],
  ENOTDIR: ['failed', 'not a directory'],
  EMFILE: ['failed', 'too many open files'],
  EBUSY: ['failed', 'is in use'],
  EIO: ['failed', 'input/output error: the disk fails'],
};

/** Turns whatever was thrown into an error for a person; what nobody foresaw is `bug` and keeps its cause. */
export function explain(error: unknown): KeyTrusteeError {
  if (error instanceof KeyTrusteeError) return error;
  const code = errorCode(error);
  const known = code === undefined ? undefined : SYSTEM_MESSAGES[code];
  if (known !== undefined) {
    const path = (error as { path?: unknown }).path;
    const message = typeof path === 'string' ? `${path}: ${known[1]}` : known[1];
    return failure(known[0], message, known[2], error);
  }
  const text = error instanceof Error ? error.message : String(error);
  return failure(
    'bug',
    `unexpected: ${text}`,
    'run it again with --verbose and report what it prints',
    error,
  );
}
