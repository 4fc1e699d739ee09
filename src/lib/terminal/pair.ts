import type { Settings } from '../core/configuration.ts';
import { withLock } from '../core/lock.ts';
import { selfOf } from '../database/replication/self.ts';
import { privateCluster } from '../database/source.ts';
import type { Site } from '../replication/facts.ts';
import type { PairSite } from '../replication/site.ts';
import { type PairEvent, recordPair } from './audit.ts';
import type { Terminal } from './terminal.ts';

/** Why servers whose database others run are no pair. */
const NO_PAIR = 'its hosts are those that replicate';

/** Where `ha status` and `doctor` look. */
export function siteOf({ configuration }: Settings): Site {
  const { HA_WRITE_POLICY: policy } = configuration;
  return { cluster: privateCluster(configuration, NO_PAIR), self: selfOf(configuration), policy };
}

/** Lends what the commands of a pair work on, to one of them at a time; what they do is recorded as `event`. */
export async function withPairSite<T>(
  settings: Settings,
  terminal: Terminal,
  event: PairEvent,
  work: (site: PairSite) => Promise<T>,
): Promise<T> {
  const { configuration, account, confdir } = settings;
  let recorded: Parameters<PairSite['record']>[0] | undefined;
  const site: PairSite = {
    ...{ cluster: privateCluster(configuration, NO_PAIR), account },
    ...{ self: selfOf(configuration), policy: configuration.HA_WRITE_POLICY, reporter: terminal },
    async record(what) {
      await recordPair(settings, event, what);
      recorded = what;
    },
  };
  return withLock(confdir, 'ha', async () => {
    try {
      return await work(site);
    } catch (error) {
      if (recorded !== undefined) await recordPair(settings, event, recorded, error).catch(() => undefined);
      throw error;
    }
  });
}
