import { byteWords } from '../core/amounts.ts';
import type { Facts } from './facts.ts';
import { type Answering, isInStep, type Parts } from './parts.ts';
import { at, type Remark, type Rule, remark, time } from './remark.ts';

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

const synchronous = whereFollowed(({ other, away }, { active, follower, sender }) => {
  if (active.look.synchronous === null) return undefined;
  if (isInStep(sender)) return remark(['fine', 'in-step'], `in step with ${other?.host}`, null);
  if (sender !== undefined) {
    const message = `${follower.host} is catching up: writes are refused until it has`;
    return remark(['critical', 'catching-up'], message, 'wait; ktadmin ha status shows how far it is');
  }
  const since = active.here && away !== null ? ` since ${time(new Date(away))}` : '';
  const next = `${at(follower, 'ktadmin db start')}; to go on without it, where it was not promoted: ${at(active, 'ktadmin ha sync off')}`;
  return remark(['critical', 'passive-away'], `${follower.host} is away${since}: writes are refused`, next);
});

const degraded = whereFollowed((_facts, { active, follower, sender }) => {
  const [, start] = active.look.degraded?.split(' ') ?? [];
  if (start === undefined || active.look.synchronous !== null) return undefined;
  const told = `degraded since ${time(new Date(start))}: what is acknowledged is on ${active.host} alone`;
  if (sender === undefined) return remark(['warning', 'degraded'], told, at(follower, 'ktadmin db start'));
  const message = `${told}; ${follower.host} is catching up`;
  return remark(['warning', 'degraded'], message, 'wait: it ends by itself');
});

const asynchronous = whereFollowed((_facts, { active, follower, sender }) => {
  if (active.look.synchronous !== null || active.look.degraded !== null) return undefined;
  // Since a promotion the other one may be the former active server.
  const rejoin = (active.pair?.epoch ?? 1) > 1 ? `; ${at(follower, 'ktadmin ha rejoin')}` : '';
  const first = sender === undefined ? `${at(follower, 'ktadmin db start')}${rejoin}; then ` : '';
  const message = `sync is off: what is acknowledged may be on ${active.host} alone`;
  return remark(['warning', 'sync-off'], message, `${first}${at(active, 'ktadmin ha sync on')}`);
});

const slot = whereFollowed((_facts, { active, follower, sender, slot: found }) => {
  if (sender !== undefined) return undefined;
  const name = follower.host;
  if (found?.state === 'lost') {
    const message = `${name} was away for too long: what it missed is not kept any more`;
    return remark(
      ['critical', 'slot-lost'],
      message,
      at(follower, `ktadmin ha join --active ${active.host}`),
    );
  }
  if (found?.state !== 'unreserved') return undefined;
  const message = `${name} is away for long: what it misses is soon not kept any more`;
  return remark(['warning', 'slot-endangered'], message, at(follower, 'ktadmin db start'));
});

const timeline = whereFollowed((_facts, { active, follower: { look, host, here } }) => {
  if (look === null || look.receiver === null || look.timeline === active.look.timeline) return undefined;
  const message = `${host} is on timeline ${look.timeline}, and ${active.host} on ${active.look.timeline}`;
  const next = here ? 'ktadmin ha rejoin' : `on ${host}: ktadmin ha rejoin`;
  return remark(['critical', 'timelines-differ'], message, next);
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

/** What there is to say of how a passive server follows the active one. */
export const judgeFollowing: Rule[] = [slot, synchronous, degraded, asynchronous, timeline, behind, silent];
