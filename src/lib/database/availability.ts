import { errorCode, KeyTrusteeError } from '../core/errors.ts';

/** Not connected, shutting down, out of connections or memory, too slow, or in each other's way. */
const CODES = new Set([
  ...['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EAGAIN', 'ETIMEDOUT'],
  ...['57P01', '57P02', '57P03', '57P04', '57014', '53000', '53100', '53200', '53300', '53400'],
  ...['25P03', '25P04', '40001', '40P01', '55P03', '3D000'],
]);

const WORDS =
  /Connection terminated|not queryable|timeout exceeded when trying to connect|Query read timeout|Cannot use a pool/;

/** Whether an error of a query says that the database cannot answer now, and not that the query is wrong. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof KeyTrusteeError) return error.code === 'unreachable';
  const code = errorCode(error);
  if (code !== undefined && (CODES.has(code) || code.startsWith('08'))) return true;
  return error instanceof Error && WORDS.test(error.message);
}
