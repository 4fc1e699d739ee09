import type { RestorePlan } from '../backups/restore/plan.ts';
import type { RestoreResult } from '../backups/restore/restore.ts';

const counted = (rows: Record<string, number>) =>
  ['organization', 'contact', 'client', 'deposit'].map((name) => `${rows[name] ?? 0} ${name}s`).join(', ');

/** What a restore will replace, in words. */
export function describePlan(plan: RestorePlan): string {
  const now = plan.currentRows === undefined ? '' : ` (there now: ${counted(plan.currentRows)})`;
  return [
    `set of ${plan.host}, ${plan.fingerprint}`,
    `  made           ${plan.created}`,
    `  holds          ${counted(plan.rows)}${now}`,
    `  configuration  ${plan.confdir} ${plan.replacesConfdir ? 'will be replaced; the present one is kept beside it' : 'will be made'}`,
    `  database       ${plan.cluster.root} ${plan.makesCluster ? 'will be made' : 'will be loaded; the present database is kept under another name'}`,
  ].join('\n');
}

/** What a restore did, in words. */
export function describeResult(result: RestoreResult): string {
  const lines = [`Restored ${result.confdir} for ${result.fingerprint}: ${counted(result.rows)}`];
  if (result.keptConfdir !== undefined) lines.push(`The former configuration is in ${result.keptConfdir}`);
  if (result.keptDatabase !== undefined) lines.push(`The former database is ${result.keptDatabase}`);
  return `${lines.join('\n')}\n`;
}
