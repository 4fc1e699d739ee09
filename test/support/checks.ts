/** What `backup verify` prints, in a form that tests compare. */
import type { Outcome } from './sandbox.ts';

/** The checks of a run with --json, by their names: `ok`, or `failed: why`, or `not checked: why`. */
export function findings({ stdout }: Pick<Outcome, 'stdout'>): Record<string, string> {
  const checks = JSON.parse(stdout) as { check: string; outcome: string; detail: string }[];
  return Object.fromEntries(
    checks.map(({ check, outcome, detail }) => [check, outcome === 'ok' ? 'ok' : `${outcome}: ${detail}`]),
  );
}

/** Every check of a set that is good in all of them. */
export const ALL_GOOD = {
  form: 'ok',
  container: 'ok',
  receipt: 'ok',
  decryption: 'ok',
  archive: 'ok',
  manifest: 'ok',
  origin: 'ok',
  members: 'ok',
  dump: 'ok',
};

const CLEAR = 'not checked: the set is not encrypted';

/** The same of a set that is not encrypted. */
export const CLEAR_GOOD = { ...ALL_GOOD, container: CLEAR, decryption: CLEAR };
