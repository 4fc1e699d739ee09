import { withLock } from '../core/lock.ts';
import type { PairFiles } from '../tls/pair.ts';
import { isSafe } from './before.ts';
import { exchange } from './exchange.ts';
import { refused } from './refused.ts';
import { isPresented } from './running.ts';
import { readPairSettings } from './settings.ts';
import { settle } from './settle.ts';
import type { Outcome, Site } from './site.ts';
import { toldOf } from './told.ts';
import { type Examined, examine, isInUse, namedInPlace, type Wish, wantedOf } from './wish.ts';

/** Makes the wish once an earlier run has been brought to an end; undefined where that was all that was wanted. */
export type MakeWish = (settled: Outcome | undefined) => Promise<Wish | undefined>;

/** It was in use already: nothing was changed. */
function unchanged({ own }: Examined, { place, origin }: Wish, files: PairFiles): Outcome {
  const told = toldOf(own);
  return {
    ...{ ...told, event: 'certificate.rotate', before: told.fingerprint, place, origin, files },
    ...{ kept: null, isChanged: false, probed: 0, warnings: [] },
  };
}

/** Whether nothing is left to be done for a pair that the settings name already. */
export async function isDone(
  site: Pick<Site, 'store' | 'confdir' | 'host'>,
  current: PairFiles,
  { own }: Examined,
  { place }: Wish,
): Promise<boolean> {
  const isKept = place === 'copied' || (await isSafe(site.store, current));
  return isKept && (await isPresented(site, own.fingerprint256));
}

/** Looks at what was given; where that took the place of what is in use and is refused, what is in use is not to be lost. */
async function examineOrReturn(site: Site, wish: Wish): Promise<Examined> {
  try {
    return await site.reporter.step('checking it', () => examine(site, wish));
  } catch (error) {
    throw await refused(site, namedInPlace(wish), error);
  }
}

async function rotateTo(site: Site, wish: Wish, settled: Outcome | undefined): Promise<Outcome> {
  const examined = await examineOrReturn(site, wish);
  const { warnings, own } = examined;
  if (settled?.fingerprint === own.fingerprint256) return settled;
  const current = await readPairSettings(site.settings);
  const isThere = await isInUse(site, current, examined, wish);
  if (isThere && (await isDone(site, current, examined, wish)))
    return { ...unchanged(examined, wish, current), warnings };
  const wanted = await wantedOf(wish, examined, current);
  const outcome = await exchange(site, isThere ? { ...wanted, pair: { settings: current } } : wanted);
  return { ...outcome, warnings: [...warnings, ...outcome.warnings] };
}

/** Puts a certificate to use. What a run before had begun is brought to its end first. */
export async function rotate(site: Site, makeWish: MakeWish): Promise<Outcome> {
  return withLock(site.confdir, 'certificate command', async () => {
    const settled = await settle(site);
    const wish = await makeWish(settled);
    if (wish !== undefined) return rotateTo(site, wish, settled);
    if (settled !== undefined) return settled;
    throw new Error('nothing was wished for');
  });
}
