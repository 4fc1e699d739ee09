import type { Database } from '../database/connection.ts';
import type { PairNotice } from '../mail/queue.ts';
import { type Look, look } from './look.ts';
import { isInStep } from './parts.ts';
import type { Act } from './watch-decide.ts';
import { changeTerms } from './watch-terms.ts';
import type { Watching } from './watching.ts';

/** The passive server that is away, or was. */
export interface Follower {
  id: string;
  host: string;
  /** ISO 8601. */
  since: string;
}

/** Does one thing about a passive server. */
type Perform = (watching: Watching, database: Database, follower: Follower) => Promise<void>;

const secondsSince = (since: string) => Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000));

function tell({ tell: send, self }: Watching, what: PairNotice['what'], { host, since }: Follower) {
  return send({ what, active: self().host, passive: host, since });
}

const away: Perform = async ({ record, log, policy }, _database, { host, since }) => {
  await record('ha.passive-away', { passive: host, since, policy: policy() });
  log.warn({ passive: host, since }, 'the passive server is away');
};

const back: Perform = async ({ record, log }, _database, { host, since }) => {
  const seconds = secondsSince(since);
  await record('ha.passive-back', { passive: host, since, seconds });
  log.info({ passive: host, since, seconds }, 'the passive server is back');
};

const isAlone = ({ synchronous, degraded }: Look) => synchronous === null && degraded !== null;

const degrade: Perform = async (watching, database, follower) => {
  const { id, host, since } = follower;
  const isDue = ({ synchronous, senders }: Look) =>
    synchronous === id && !senders.some((sender) => sender.id === id && isInStep(sender));
  const { started: run } = await look(database);
  const terms = { synchronous: null, degraded: { passive: id, since: new Date(), run } };
  const policy = watching.policy();
  const isDone = await changeTerms(watching, database, isDue, terms, () =>
    watching.record('ha.degrade', { passive: host, since, policy }),
  );
  if (!isDone) return;
  watching.log.error(
    { passive: host, since, policy },
    'degraded: changes are acknowledged without the passive server, because HA_WRITE_POLICY has it so',
  );
  await tell(watching, 'degraded', follower);
};

const waitAgain =
  (reason: 'caught up' | 'demanded'): Perform =>
  async (watching, database, { id, host, since }) => {
    const isDone = await changeTerms(watching, database, isAlone, { synchronous: id }, () =>
      watching.record('ha.restore', { passive: host, because: reason }),
    );
    if (!isDone) return;
    watching.log.warn({ passive: host, because: reason }, 'changes wait for the passive server again');
    if (reason === 'caught up') await tell(watching, 'restored', { id, host, since });
  };

/** How each thing is done. */
export const perform: Record<Act, Perform> = {
  ...{ away, back, degrade, restore: waitAgain('caught up'), demand: waitAgain('demanded') },
  tell: (watching, _database, follower) => tell(watching, 'passive-away', follower),
};
