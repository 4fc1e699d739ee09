import { byteWords } from '../core/amounts.ts';
import { joinCommand } from '../database/replication/unjoined.ts';
import type { Facts, Seen } from './facts.ts';
import { followHint } from './hints.ts';
import { type Answering, isInStep, type Parts } from './parts.ts';
import { degradesAfter } from './policy.ts';
import { at, type Remark, type Rule, remark, type Severity, time } from './remark.ts';

/** A passive that is so far behind is told of. */
const FAR_BYTES = 64 * 1024 * 1024;
const FAR_SECONDS = 10;

interface Following extends Parts {
  active: Answering;
  follower: NonNullable<Parts['follower']>;
}

/** A rule for pairs whose active server is known, and has another one that is not fenced. */
const whereFollowed =
  (rule: (facts: Facts, parts: Following) => Remark | undefined): Rule =>
  (facts, parts) => {
    const { actives, active, follower } = parts;
    if (active === undefined || follower === undefined || actives.length > 1) return undefined;
    if (follower.look?.role === 'fenced') return undefined;
    return rule(facts, { ...parts, active, follower });
  };

/** Where the policy would have the active server go on alone: why it does not, as far as that is seen on that server. */
function idlePolicy({ policy, inStepSince }: Facts, { here, served, look }: Answering): string {
  if (!here || degradesAfter(policy) === null) return '';
  if (served === null) return `; ${policy} does not act, because the server does not run on this host`;
  if (inStepSince === look.started.toISOString()) return '';
  return `; ${policy} does not act, because the two were not in step since PostgreSQL was started here or the policy was set, and the other may have been promoted`;
}

const away = (facts: Facts, { active, follower }: Following) => {
  const since = active.here && facts.away !== null ? ` since ${time(new Date(facts.away))}` : '';
  const how = follower.look === null ? `is away${since}` : 'runs, and does not follow';
  const message = `${follower.host} ${how}: writes are refused${idlePolicy(facts, active)}`;
  const without = `to go on without it, where it was not promoted: ${at(active, 'ktadmin ha sync off')}`;
  return remark(['critical', 'passive-away'], message, `${followHint(follower, active)}; ${without}`);
};

const synchronous = whereFollowed((facts, parts) => {
  const { active, follower, sender } = parts;
  if (active.look.synchronous === null) return undefined;
  if (isInStep(sender)) return remark(['fine', 'in-step'], `in step with ${facts.other?.host}`, null);
  if (sender === undefined && active.look.senders.some((each) => isInStep(each))) {
    const message = `${follower.host} has no place in the pair any more: another server follows ${active.host}`;
    return remark(['critical', 'replaced'], message, at(follower, 'stop keytrusteed; ktadmin db stop'));
  }
  if (sender === undefined) return away(facts, parts);
  if (sender.id !== active.look.synchronous) {
    const message = `${follower.host} follows, and changes wait for another server, which it was before: writes are refused`;
    return remark(['critical', 'other-awaited'], message, at(active, 'ktadmin ha sync on'));
  }
  const message = `${follower.host} is catching up: writes are refused until it has`;
  return remark(['critical', 'catching-up'], message, 'wait; ktadmin ha status shows how far it is');
});

const degraded = whereFollowed((_facts, { active, follower, sender }) => {
  const [awaited, start] = active.look.degraded?.split(' ') ?? [];
  if (start === undefined || active.look.synchronous !== null) return undefined;
  const is: [Severity, string] = ['warning', 'degraded'];
  const told = `degraded since ${time(new Date(start))}: what is acknowledged is on ${active.host} alone`;
  if (sender === undefined) return remark(is, told, followHint(follower, active));
  if (sender.id !== awaited)
    return remark(is, `${told}; ${follower.host} follows`, at(active, 'ktadmin ha sync on'));
  return remark(is, `${told}; ${follower.host} is catching up`, 'wait: it ends by itself');
});

/** What has a server follow that does not; since a promotion it may be the former active one. */
function firstOf(active: Answering, follower: Seen): string {
  const isRejoined = follower.look === null && (active.pair?.epoch ?? 1) > 1;
  const rejoin = isRejoined ? `; ${at(follower, 'ktadmin ha rejoin')}` : '';
  return `${followHint(follower, active)}${rejoin}; then `;
}

const asynchronous = whereFollowed((_facts, { active, follower, sender }) => {
  if (active.look.synchronous !== null || active.look.degraded !== null) return undefined;
  const first = sender === undefined ? firstOf(active, follower) : '';
  const message = `sync is off: what is acknowledged may be on ${active.host} alone`;
  return remark(['warning', 'sync-off'], message, `${first}${at(active, 'ktadmin ha sync on')}`);
});

const slot = whereFollowed((_facts, { active, follower, sender, slot: found }) => {
  if (sender !== undefined) return undefined;
  const name = follower.host;
  if (found?.state === 'lost') {
    const message = `${name} was away for too long: what it missed is not kept any more`;
    return remark(['critical', 'slot-lost'], message, at(follower, joinCommand(follower, active)));
  }
  if (found?.state !== 'unreserved') return undefined;
  const message = `${name} is away for long: what it misses is soon not kept any more`;
  return remark(['warning', 'slot-endangered'], message, followHint(follower, active));
});

const timeline = whereFollowed((_facts, { active, follower: { look, host, here } }) => {
  if (look === null || look.receiver === null || look.timeline === active.look.timeline) return undefined;
  const message = `${host} is on timeline ${look.timeline}, and ${active.host} on ${active.look.timeline}`;
  return remark(['critical', 'timelines-differ'], message, at({ here, host }, 'ktadmin ha rejoin'));
});

const behind = whereFollowed((_facts, { follower, sender }) => {
  const { replayBytes: bytes, seconds: last } = sender ?? {};
  const [far, seconds] = [bytes ?? 0, Math.round(last ?? 0)];
  if (far <= FAR_BYTES && seconds <= FAR_SECONDS) return undefined;
  const message = `${follower.host} is ${byteWords(far)} and ${seconds} s behind`;
  return remark(
    ['warning', 'lag'],
    message,
    at(follower, 'look at its disks, and at the network between the two'),
  );
});

const silent = whereFollowed(({ other }, { sender }) => {
  if (other === null || other.look !== null || sender === undefined) return undefined;
  const message = `${other.host} follows, and cannot be asked: ${other.reason}`;
  return remark(['warning', 'peer-silent'], message, `on ${other.host}: ktadmin ha status`);
});

/** What fills the passive's disk ends there first. */
const short = whereFollowed((_facts, { active, follower }) => {
  if (follower.here || !follower.isShort) return undefined;
  const loses = `when nothing is, it stops, and changes that wait for it are refused on ${active.host}`;
  const message = `${follower.host} has less than FREE_SPACE_MEGABYTES free: ${loses}`;
  return remark(['warning', 'passive-short'], message, `${at(follower, 'ktadmin doctor')}, and make room`);
});

/** What there is to say of how a passive server follows the active one. */
export const judgeFollowing: Rule[] = [
  slot,
  synchronous,
  degraded,
  asynchronous,
  timeline,
  behind,
  silent,
  short,
];
