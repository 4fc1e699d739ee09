import { selfOf } from '../database/replication/self.ts';
import { isExternal, sourceOf } from '../database/source.ts';
import { queuePairNotices } from '../notices/pair.ts';
import { watchPair } from '../replication/watch.ts';
import type { Services } from './services.ts';
import type { Started } from './started.ts';

/** Watches the pair that the server belongs to, by the first of its processes; settings are those of the last reload. */
export function watchServersPair(services: Services): Started {
  const cluster = sourceOf(services.settings);
  // Those that run the database see to its hosts.
  if (isExternal(cluster)) return { stop: async () => undefined };
  const { pool, trail, log } = services;
  return watchPair({
    cluster,
    confdir: services.settings.confdir,
    self: () => selfOf(services.settings.configuration),
    policy: () => services.settings.configuration.HA_WRITE_POLICY,
    log,
    async record(event, what) {
      const who = `account:${services.settings.account.name}`;
      await trail.change({ event, who, from: 'local', what, outcome: 'done' });
    },
    async tell(notice) {
      if (services.settings.configuration.MAIL_TRANSPORT === 'none') return;
      const mails = await queuePairNotices(pool, notice);
      if (mails > 0) log.warn({ mails, about: notice.what }, 'the administrators get mail about the pair');
    },
  });
}
