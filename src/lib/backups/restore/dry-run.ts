import { dirname } from 'node:path';
import { exists } from '../../core/files.ts';
import { exchangeJournal } from '../../core/unfinished.ts';
import { chooseNames } from './names.ts';
import type { RestorePlan } from './plan.ts';

/** What a restore would do, step by step, for one that is only to be shown. Nothing is changed. */
export interface DryRun {
  plan: RestorePlan;
  steps: string[];
  /** What could not be looked at without changing something. */
  unknown: string[];
}

function databaseSteps({ cluster, makesCluster, currentRows }: RestorePlan, loaded: string, kept: string) {
  const aside = `rename the database keytrustee to ${kept}, to which nobody can connect`;
  return {
    start: makesCluster
      ? [`make a PostgreSQL cluster in ${cluster.root}, with port ${cluster.port}, and start it`]
      : currentRows === undefined
        ? [`start PostgreSQL in ${cluster.root}, where it does not run`]
        : [],
    exchange: [
      ...(makesCluster ? [] : [currentRows === undefined ? `${aside}, where there is one` : aside]),
      `rename the database ${loaded} to keytrustee, in the same transaction`,
    ],
  };
}

function unknownOf({ makesCluster, currentRows }: RestorePlan): string[] {
  if (makesCluster) return [];
  if (currentRows === undefined)
    return ['the database does not run, or does not answer: what it holds was not looked at'];
  return ['which organizations and clients are lost or revived is known when the set is loaded'];
}

/** Every step of a restore, with the names that it would give now. */
export async function describeSteps(plan: RestorePlan): Promise<DryRun> {
  const { confdir, changes, fingerprint } = plan;
  const journal = exchangeJournal(confdir);
  const names = await chooseNames(confdir, []);
  const database = databaseSteps(plan, names.loaded, names.keptDatabase);
  const steps = [
    ...((await exists(journal)) ? [`finish the exchange that was cut off: ${journal}`] : []),
    ...((await exists(dirname(confdir))) ? [] : [`make the directory ${dirname(confdir)}`]),
    ...database.start,
    `write the configuration of the set to ${names.staged}`,
    ...changes.map(({ key, before, after }) => `change ${key} in it from ${before} to ${after}`),
    `sign with the key ${fingerprint} in it, as a trial`,
    `load the dump of the set into the database ${names.loaded}, and count its rows`,
    'compare it with the present database, and say what is lost or revived',
    `write ${journal}, so that a crash from here on can be finished`,
    ...database.exchange,
    ...(plan.replacesConfdir ? [`rename ${confdir} to ${names.keptConfdir}`] : []),
    `rename ${names.staged} to ${confdir}`,
    'sign and count again, in place',
    `remove ${journal}`,
  ];
  return { plan, steps, unknown: unknownOf(plan) };
}
