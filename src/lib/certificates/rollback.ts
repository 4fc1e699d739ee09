import { withLock } from '../core/lock.ts';
import type { Protocol } from '../tls/context.ts';
import { chooseKept, scriptOf } from './choose-kept.ts';
import { exchange } from './exchange.ts';
import { isStillThere } from './kept.ts';
import { settle } from './settle.ts';
import type { Outcome, Site, Wanted } from './site.ts';
import { toldOf } from './told.ts';
import { checkAsServer } from './wish.ts';

/** What the exchange is told to do: the files that were in use then, where they still hold that pair, else the copies. */
export async function rollbackWanted(
  site: Site,
  protocol: Protocol,
): Promise<{ wanted: Wanted; warnings: string[] }> {
  const { kept, own, warnings } = await chooseKept(site, protocol);
  const isThere = await isStillThere(kept, site.confdir);
  const isElsewhere = !kept.settings.SSL_CERTIFICATE.startsWith(`${site.store}/`);
  const place = isThere && isElsewhere ? 'in-place' : 'copied';
  const wanted: Wanted = {
    ...{ event: 'certificate.rollback', consumed: kept.name },
    told: { ...toldOf(own), place, origin: 'kept' },
    pair: isThere ? { settings: kept.settings } : { contents: kept.contents, script: scriptOf(kept, site) },
    check: (files) => checkAsServer(files, protocol, own),
  };
  return { wanted, warnings };
}

/** Goes back to the pair that was in use before. What it replaces is kept, so that a second rollback goes forward again. */
export async function rollback(site: Site, protocol: Protocol): Promise<Outcome> {
  return withLock(site.confdir, 'certificate command', async () => {
    const settled = await settle(site);
    if (settled?.event === 'certificate.rollback') return settled;
    const { wanted, warnings } = await rollbackWanted(site, protocol);
    const outcome = await exchange(site, wanted);
    return { ...outcome, warnings: [...warnings, ...outcome.warnings] };
  });
}
