import { explain, KeyTrusteeError } from '../core/errors.ts';

/** The audit trail cannot be written; what belongs into it is not done. */
export class TrailFailure extends KeyTrusteeError {
  override name = 'TrailFailure';
}

/** Says of an error that it is the trail's, so that nobody looks for it in what was to be done. */
export function explainTrail(error: unknown): TrailFailure {
  const { code, message, hint } = explain(error);
  return new TrailFailure(code, `the audit trail cannot be written: ${message}`, hint, error);
}
