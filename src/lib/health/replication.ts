import { failure } from '../core/errors.ts';
import { critical, type Finding, fine, warning } from './diagnosis.ts';

/** One thing that is to be said of a pair; the worst comes first. */
interface Said {
  severity: 'fine' | 'warning' | 'critical';
  code: string;
  message: string;
  next: string | null;
}

/** Judges the pair that a server belongs to by the worst that is to be said of it; a server alone is as it should be. */
export function judgeReplication([worst]: Said[]): Finding {
  if (worst === undefined) throw failure('bug', 'nothing was found out of the pair');
  const { severity, code, message, next } = worst;
  // The database has a line of its own.
  if (code === 'database-away') throw failure('unreachable', message, next ?? undefined);
  if (severity === 'fine') return fine(message);
  return severity === 'warning'
    ? warning(message, next ?? 'ktadmin ha status')
    : critical(message, next ?? 'ktadmin ha status');
}
