import type { Account } from '../../core/account.ts';
import { exists } from '../../core/files.ts';
import type { Reporter } from '../../core/reporter.ts';
import { exchangeJournal } from '../../core/unfinished.ts';
import { clusterAt } from '../../database/cluster.ts';
import type { Manifest } from '../manifest.ts';
import { bringUpPlaced } from './bring-up.ts';
import { dropUnfinished } from './database.ts';
import { finishExchange, revertExchange } from './exchange-all.ts';
import { type Journal, readJournal } from './journal.ts';
import { removeUnfinished } from './names.ts';
import { checkPlaced } from './placed.ts';
import { withRunningCluster } from './running-cluster.ts';

/** How an exchange that was cut off is settled: new in place, or what was there. */
export type Settlement = 'finish' | 'revert';

async function settle(confdir: string, how: Settlement): Promise<Journal | undefined> {
  const path = exchangeJournal(confdir);
  const settled = how === 'finish' ? await finishExchange(path, checkPlaced) : await revertExchange(path);
  await removeUnfinished(confdir);
  return settled;
}

/**
 * Settles the exchange of a restore or an undo that was cut off; the database is started where it does not run. Returns
 * what was exchanged, or undefined where nothing was open.
 */
export async function settleUnfinished(
  confdir: string,
  how: Settlement,
  account: Account,
  reporter: Reporter,
): Promise<Journal | undefined> {
  const path = exchangeJournal(confdir);
  const open = await readJournal(path);
  if (open === undefined) return undefined;
  if (open.database === undefined) return settle(confdir, how);
  const cluster = clusterAt(open.database.root, open.database.port);
  const work = async () => {
    const settled = await settle(confdir, how);
    await dropUnfinished(cluster);
    return settled;
  };
  const settled = await withRunningCluster(cluster, account, reporter, work, () => exists(path));
  if (how === 'finish') await bringUpPlaced(cluster, `the ${open.purpose} that was cut off is finished`);
  return settled;
}

/** Whether it was this set that an exchange which was cut off had to put in place. */
export function isOfSet({ set }: Journal, { fingerprint, sequence, created }: Manifest): boolean {
  return set?.fingerprint === fingerprint && set.sequence === sequence && set.created === created;
}
