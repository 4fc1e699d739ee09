import { joinCommand } from '../database/replication/unjoined.ts';
import type { Seen } from './facts.ts';
import { at } from './remark.ts';

/** How a server whose pair went on without it comes back; what it acknowledged alone is not given up unasked. */
export function rejoinHint(seen: Pick<Seen, 'here' | 'host'>, aloneSince: string | null | undefined): string {
  if (typeof aloneSince !== 'string') return at(seen, 'ktadmin ha rejoin');
  const plain = at(seen, 'ktadmin ha rejoin --accept-data-loss');
  return `${plain}, which keeps its data beside the new ones; bring over what only they have, see ktadmin-ha(8)`;
}

/** How a server that does not answer is started, or reached again. */
export function reachHint(seen: Seen): string {
  const start = at(seen, 'ktadmin db start');
  if (seen.here || seen.absence === 'refused') return start;
  if (seen.absence !== 'silent') return seen.hint ?? start;
  if (seen.served !== null) return `${start}; where it runs: is port ${seen.port} open between the two?`;
  return `is the network between the two up? ktadmin ha status on ${seen.host} tells its side; else ${start}`;
}

/** What has a server follow the active one again. */
export function followHint(follower: Seen, active: Seen): string {
  const { look } = follower;
  if (look === null) return reachHint(follower);
  if (!look.inRecovery || look.system !== active.look?.system)
    return at(follower, joinCommand(follower, active));
  return `wait, it may just have been started; else ${at(follower, 'ktadmin ha rejoin')}`;
}
