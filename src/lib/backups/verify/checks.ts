/** What is looked at, in the order in which it is told. */
export const CHECKS = [
  'form',
  'container',
  'receipt',
  'decryption',
  'archive',
  'manifest',
  'origin',
  'members',
  'dump',
] as const;

export type CheckName = (typeof CHECKS)[number];
export type Outcome = 'ok' | 'failed' | 'not checked';

/** What came of a check, and why or with what. */
export interface Finding {
  outcome: Outcome;
  detail: string;
}

/** A check by its name. */
export interface Check extends Finding {
  check: CheckName;
}

/** What has been found so far. */
export type Findings = Partial<Record<CheckName, Finding>>;

/** Something that was found good. */
export const ok = (detail: string): Finding => ({ outcome: 'ok', detail });
/** Something that was found bad. */
export const failed = (detail: string): Finding => ({ outcome: 'failed', detail });
/** Something that could not be looked at. */
export const notChecked = (detail: string): Finding => ({ outcome: 'not checked', detail });

/** Every check in its order; what was never reached says so. */
export function listChecks(findings: Findings): Check[] {
  const reason = CHECKS.find((check) => findings[check]?.outcome === 'failed');
  const unreached = notChecked(reason === undefined ? 'it was not reached' : `${reason} failed`);
  return CHECKS.map((check) => ({ check, ...(findings[check] ?? unreached) }));
}

/** What a set is worth, in words, with what to do next. */
export interface Verdict {
  code: 'done' | 'untrusted' | 'state';
  text: string;
}

/**
 * Judges what was found. A set is good when nothing failed, its origin is known, and either every byte of it was read
 * or its file is the one that the server has signed for.
 */
export function judge(checks: Check[]): Verdict {
  const outcome = (name: CheckName) => checks.find(({ check }) => check === name)?.outcome;
  const bad = checks.find((check) => check.outcome === 'failed');
  if (bad !== undefined) return { code: 'untrusted', text: 'The set is not to be trusted. Use another one.' };
  const isRead = outcome('members') === 'ok' && outcome('dump') === 'ok';
  if (!isRead && outcome('receipt') !== 'ok') {
    return {
      code: 'state',
      text: 'Nothing is proven: it was not decrypted, and no receipt speaks for it. Run it as the recipient.',
    };
  }
  if (isRead && outcome('manifest') === 'not checked') {
    const text = 'Nothing failed, but nobody signed it: it may have been changed, and nobody can know.';
    return { code: 'state', text };
  }
  if (outcome('origin') !== 'ok') {
    return {
      code: 'state',
      text: "Nothing failed, but whose set it is could not be checked. Give your server's fingerprint: --fingerprint FP",
    };
  }
  return isRead
    ? { code: 'done', text: 'The set is whole, and your server made it.' }
    : { code: 'done', text: 'The file is as your server wrote it. It was not decrypted.' };
}
