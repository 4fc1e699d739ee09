import type { Logger } from 'pino';
import { errorCode } from '../core/errors.ts';
import { load } from '../core/lazy.ts';

/** Where the server tells of itself: one line of JSON each, on standard error. */
export type Log = Logger;

/** How much is told. */
export type LogLevel = 'debug' | 'info' | 'warn';

/** An error in a log line: PostgreSQL's further fields are left out, because they quote values. */
function describeError(error: unknown) {
  if (!(error instanceof Error)) return { message: String(error) };
  return { type: error.name, message: error.message, code: errorCode(error), stack: error.stack };
}

/**
 * Opens the server's log. Lines never hold a URL, a header or a body: links carry tokens, headers carry sessions; a
 * request is told by its method, its route and its status.
 */
export async function openLog(level: LogLevel, worker?: number): Promise<Log> {
  const { pino } = await load('pino');
  const options = {
    level,
    base: { pid: process.pid, ...(worker === undefined ? {} : { worker }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError },
  };
  return pino(options, pino.destination({ fd: 2, sync: true }));
}
