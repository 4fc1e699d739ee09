import { explain, failure } from '../core/errors.ts';

/** Says of an error that it is the trail's, so that nobody looks for it in what was to be done. */
export function explainTrail(error: unknown): Error {
  const { code, message, hint } = explain(error);
  return failure(code, `the audit trail cannot be written: ${message}`, hint, error);
}
