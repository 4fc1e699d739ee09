import type { DatabasePool } from '../database/pool.ts';
import type { KeyringFiles } from '../gpg/program.ts';
import { clearSign } from '../gpg/signature.ts';

/** How long it is believed that the key can sign, and how long that it cannot; milliseconds. GnuPG takes a while. */
const GOOD_FOR = 60_000;
const BAD_FOR = 5000;

/** No check takes longer; milliseconds. */
const LIMIT = 5000;

/** What a server needs to serve, and whether it has that now. */
export interface Readiness {
  ready: boolean;
  checks: Record<'database' | 'key' | 'audit', 'ok' | 'failed'>;
}

/** What is looked at. Each rejects where it is not well. */
export type Checks = Record<keyof Readiness['checks'], () => Promise<unknown>>;

/** Whether the database answers a query. */
export async function checkDatabase(pool: DatabasePool): Promise<void> {
  await pool.query('select 1');
}

/** Makes the check whether the server's key can sign: by GnuPG, and not more often than once a minute. */
export function keyCheck(files: KeyringFiles, fingerprint: () => string): () => Promise<void> {
  let known: { until: number; answer: Promise<void> } | undefined;
  return () => {
    if (known !== undefined && Date.now() < known.until) return known.answer;
    const answer = clearSign(files, fingerprint(), 'health\n').then(() => undefined);
    const mine = { until: Date.now() + GOOD_FOR, answer };
    answer.catch(() => {
      mine.until = Date.now() + BAD_FOR;
    });
    known = mine;
    return answer;
  };
}

async function passes(check: () => Promise<unknown>): Promise<'ok' | 'failed'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'failed'>((resolve) => {
    timer = setTimeout(() => resolve('failed'), LIMIT);
  });
  const done = check().then(
    () => 'ok' as const,
    () => 'failed' as const,
  );
  const answer = await Promise.race([done, late]);
  clearTimeout(timer);
  return answer;
}

/** Looks at everything at once. */
export async function checkReadiness(checks: Checks): Promise<Readiness> {
  const [database, key, audit] = await Promise.all([
    passes(checks.database),
    passes(checks.key),
    passes(checks.audit),
  ]);
  const ready = [database, key, audit].every((answer) => answer === 'ok');
  return { ready, checks: { database, key, audit } };
}
