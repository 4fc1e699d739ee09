import { hostname } from 'node:os';
import type { DryRun } from '../backups/restore/dry-run.ts';
import type { RestorePlan } from '../backups/restore/plan.ts';
import type { RestoreResult } from '../backups/restore/restore.ts';
import { countedRows } from './difference.ts';

/** What a restore will replace, in words. */
export function describePlan(plan: RestorePlan): string {
  const now = plan.currentRows === undefined ? '' : ` (there now: ${countedRows(plan.currentRows)})`;
  return [
    `set of ${plan.host}, ${plan.fingerprint}`,
    `  made           ${plan.created}`,
    `  holds          ${countedRows(plan.rows)}${now}`,
    `  configuration  ${plan.confdir} ${plan.replacesConfdir ? 'will be replaced; the present one is kept beside it' : 'will be made'}`,
    `  database       ${plan.cluster.root} ${plan.makesCluster ? 'will be made' : 'will be loaded; the present database is kept under another name'}`,
    ...plan.changes.map(({ key, before, after }) => `  changes        ${key} from ${before} to ${after}`),
  ].join('\n');
}

/** The last line of a restore that ended well (hazard PG-22): what was checked once it was in place. */
export const VERDICT = "The restore is complete: the server's key opens, and every row is there\n";

/** What a restore did, in words. */
export function describeResult(result: RestoreResult): string {
  const lines = [`Restored ${result.confdir} for ${result.fingerprint}: ${countedRows(result.rows)}`];
  if (result.keptConfdir !== undefined) lines.push(`The former configuration is in ${result.keptConfdir}`);
  if (result.keptDatabase !== undefined) lines.push(`The former database is ${result.keptDatabase}`);
  return `${lines.join('\n')}\n`;
}

/** What a restore would do, in words. */
export function describeDryRun({ steps, unknown }: DryRun): string {
  const lines = steps.map((step, index) => `${String(index + 1).padStart(2)}. ${step}`);
  return `${[...lines, ...unknown.map((what) => `Not known: ${what}`), 'Nothing was changed'].join('\n')}\n`;
}

/** What to say of changes that a client or an administrator will notice. */
export function warnings({ changes, confdir, otherAddress }: RestorePlan): string[] {
  const address = changes.find(({ key }) => key === 'EXTERNAL_ADDRESS');
  if (address === undefined)
    return otherAddress === undefined
      ? []
      : [
          `clients will reach this server as ${otherAddress}, which its TLS certificate names, too, and this host is ${hostname()}: give --external-address where the set is another host's`,
        ];
  return [
    `the TLS certificate in ${confdir} names ${address.before}: clients that reach ${address.after} will refuse it until it is replaced`,
  ];
}
