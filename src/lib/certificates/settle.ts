import { join } from 'node:path';
import { exists, sweep } from '../core/files.ts';
import { resume } from './exchange.ts';
import { UNFINISHED } from './generation.ts';
import { type Journal, readJournal } from './journal.ts';
import { discard } from './outcome.ts';
import { isSame, readPairSettings } from './settings.ts';
import type { Outcome, Site } from './site.ts';

/** What is to become of an exchange that was cut off. */
export type Cut = { journal: Journal; how: 'finish' | 'drop' } | undefined;

/** Looks whether an earlier run was cut off: where the settings name the new pair it is finished, else nothing of it is left. */
export async function findCut({ store, settings }: Pick<Site, 'store' | 'settings'>): Promise<Cut> {
  if (!(await exists(store))) return undefined;
  const journal = await readJournal(store);
  if (journal === undefined) return undefined;
  const { to, made } = journal;
  // Files that are used where they lie have the same names before; what was made for it has its name from when all is placed.
  const isPlaced = made === null || (await exists(join(store, made)));
  const isNamed = isSame(await readPairSettings(settings), to);
  return { journal, how: isPlaced && isNamed ? 'finish' : 'drop' };
}

/** Finishes an exchange that was cut off, or takes away what was written for it. Returns what was finished. */
export async function settle(site: Site): Promise<Outcome | undefined> {
  const cut = await findCut(site);
  if (cut?.how === 'finish') return resume(site, cut.journal);
  if (cut?.how === 'drop') await discard(site, cut.journal);
  if (await exists(site.store)) await sweep(site.store, UNFINISHED);
  return undefined;
}
