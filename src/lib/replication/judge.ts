import { RENEW } from '../database/replication/own-certificate.ts';
import { cutOff, joinCommand } from '../database/replication/unjoined.ts';
import { countDays, SOON } from '../tls/dates.ts';
import { clockDifference } from './clock.ts';
import type { Facts, Seen } from './facts.ts';
import { reachHint, rejoinHint } from './hints.ts';
import { judgeFollowing } from './judge-following.ts';
import { epochOf, type Parts, partsOf, roleOf } from './parts.ts';
import { at, type Remark, type Rule, remark, type Severity, time } from './remark.ts';

const DAY = 86_400_000;

const whoRuns: Rule = ({ own, node }) => {
  if (own.look === null)
    return remark(['critical', 'database-away'], own.reason ?? '', own.hint ?? 'ktadmin db start');
  if (node === undefined || own.look.role === null) {
    const make = node === undefined ? 'ktadmin init; ktadmin db restart' : 'ktadmin db restart';
    return remark(['fine', 'unprepared'], 'alone; not prepared for a pair', make);
  }
  if (roleOf(own) !== 'alone' || !own.look.hasDatabase) return undefined;
  return remark(['fine', 'alone'], 'alone', `on another host: ktadmin ha join --active ${own.host}`);
};

/** A host on which a join was cut off, or that is a copy and has not joined, has nothing to serve. */
const unjoined: Rule = ({ own, node }) => {
  if (node === undefined || own.look === null || own.look.inRecovery) return undefined;
  const { hasDatabase } = own.look;
  const { role, joining, copyOf } = node;
  if (joining !== undefined && (role === 'passive' || !hasDatabase))
    return remark(['critical', 'join-unfinished'], cutOff(joining), joinCommand(own, joining));
  if (hasDatabase) return undefined;
  if (role === 'alone' && copyOf !== undefined) {
    const message = `this server is a copy of ${copyOf}, and has not joined it`;
    return remark(['critical', 'not-joined'], message, joinCommand(own, { host: copyOf, port: own.port }));
  }
  const next = 'ktadmin restore FILE brings a lost database back; an empty one: ktadmin db start';
  return remark(['critical', 'database-missing'], 'the database keytrustee does not exist', next);
};

const aloneWords = (since: string | null | undefined) =>
  typeof since === 'string' ? `; since ${time(new Date(since))} changes counted on it alone` : '';

const fenced: Rule = ({ own, other, node }) => {
  if (roleOf(own) === 'fenced')
    return remark(
      ['critical', 'fenced'],
      `fenced: the pair went on without this server${aloneWords(node?.aloneSince)}`,
      rejoinHint(own, node?.aloneSince),
    );
  if (other === null || roleOf(other) !== 'fenced') return undefined;
  const since = other.look?.aloneSince;
  const message = `${other.host} is fenced: the pair went on without it${aloneWords(since)}`;
  return remark(['warning', 'peer-fenced'], message, rejoinHint(other, since));
};

const giveUp = (given: Seen, other: Seen) => at(given, joinCommand(given, other, '--replace-data '));

const twoActives: Rule = ({ node }, { actives: [one, two] }) => {
  if (one === undefined || two === undefined) return undefined;
  const is: [Severity, string] = ['critical', 'two-actives'];
  if (epochOf(one) === epochOf(two)) {
    const message = `both servers are active, in the same epoch (${epochOf(one)})`;
    const [here, there] = one.here ? [one, two] : [two, one];
    const next = `if ${there.host} is to count: ${giveUp(here, there)}; if ${here.host} is: ${giveUp(there, here)}`;
    return remark(is, message, next);
  }
  const words = (seen: Seen) => `${seen.host} (epoch ${epochOf(seen)})`;
  const message = `both servers are active: ${words(one)} counts, ${words(two)} does not`;
  const isOurs = one.look.system === two.look.system;
  const next = isOurs ? rejoinHint(two, two.here ? node?.aloneSince : null) : giveUp(two, one);
  return remark(is, message, next);
};

const promotion: Rule = ({ node }, { actives }) => {
  const one = actives.find(({ look }) => look.role === 'passive');
  if (one === undefined || (one.here && node?.joining !== undefined)) return undefined;
  const message = `${one.host} was promoted, and that was not finished`;
  return remark(['critical', 'promotion-unfinished'], message, at(one, 'ktadmin ha promote'));
};

const noActive: Rule = ({ own, other }, { actives, passives: [one, two] }) => {
  if (actives.length > 0 || one === undefined || own.look === null) return undefined;
  if (two !== undefined) {
    const next = 'on the one that was active last, or has received more: ktadmin ha promote';
    return remark(['critical', 'two-passives'], 'both servers are passive: none takes writes', next);
  }
  if (other === null) {
    const message = 'the active server is not known';
    return remark(['critical', 'active-unknown'], message, 'ktadmin ha join --active HOST');
  }
  if (other.look !== null) return undefined;
  const next = `${reachHint(other)}; where it is lost: ktadmin ha promote`;
  return remark(['critical', 'active-away'], `the active server is away: ${other.reason}`, next);
};

function differs(one: string | null | undefined, two: string | null | undefined): boolean {
  return typeof one === 'string' && typeof two === 'string' && one !== two;
}

const strangers: Rule = ({ own, other }) => {
  if (other === null) return undefined;
  const says = (what: 'fingerprint' | 'version') =>
    `${own.host} has ${own[what]}, ${other.host} ${other[what]}`;
  if (differs(own.fingerprint, other.fingerprint)) {
    const next = 'copy the configuration directory of the active server, as ktadmin-ha(8) has it';
    return remark(['critical', 'keys-differ'], `the OpenPGP keys differ: ${says('fingerprint')}`, next);
  }
  if (!differs(own.version, other.version)) return undefined;
  const next = 'install the same version on both; then, on both: ktadmin db restart';
  return remark(['critical', 'versions-differ'], `the versions differ: ${says('version')}`, next);
};

/** Deposits end, sessions hold and keys are valid by the clock of the server that is asked. */
const clocks: Rule = ({ own, other }) => {
  if (other === null || own.clock === null || other.clock === null) return undefined;
  const difference = clockDifference(other.clock, own.clock);
  if (difference === undefined) return undefined;
  const message = `the clock of ${other.host} is ${difference} that of ${own.host}`;
  return remark(['warning', 'clocks-differ'], message, 'on both: timedatectl tells whether the clock is set');
};

/** A host that was made anew and started has a database of its own. */
const origins: Rule = ({ own, other }, { actives, active, passives: [passive] }) => {
  if (other === null || actives.length > 1 || !differs(own.look?.system, other.look?.system))
    return undefined;
  const stays = active ?? (passive === own ? other : own);
  const joins = stays === own ? other : own;
  const message = 'the databases are not of one origin';
  return remark(['critical', 'databases-differ'], message, at(joins, joinCommand(joins, stays)));
};

/** The passive server of a pair that was ended on the active one. */
const ended: Rule = ({ own, other }, { passives: [passive] }) => {
  const stays = passive === own ? other : own;
  if (passive === undefined || stays === null || roleOf(stays) !== 'alone') return undefined;
  if (differs(own.look?.system, other?.look?.system)) return undefined;
  const message = `${stays.host} is alone: it has ended the pair`;
  return remark(['critical', 'pair-ended'], message, at(passive, joinCommand(passive, stays)));
};

const certificate: Rule = ({ certificateEnds, isAuthorityFirst }, { active, passives }) => {
  if (certificateEnds === null || (active === undefined && passives.length === 0)) return undefined;
  const days = Math.floor((certificateEnds.getTime() - Date.now()) / DAY);
  if (days > SOON) return undefined;
  const what = `the ${isAuthorityFirst ? 'authority' : 'certificate'} of the pair`;
  if (days >= 0) {
    const message = `${what} expires in ${countDays(days)}`;
    return remark(['warning', 'certificate-expires'], message, RENEW);
  }
  const message = `${what} expired on ${time(certificateEnds)}`;
  return remark(['critical', 'certificate-expired'], message, RENEW);
};

/** PostgreSQL goes on with what it has read, and does not start again; nor does either server reach the other by it. */
const spoiltCertificate: Rule = ({ certificateFault }) => {
  if (certificateFault === null) return undefined;
  return remark(['critical', 'certificate-unusable'], certificateFault, RENEW);
};

const RULES: Rule[] = [
  // What else is wrong may come of it.
  spoiltCertificate,
  ...[whoRuns, unjoined, fenced, twoActives, promotion, noActive, strangers, origins],
  ended,
  ...[...judgeFollowing, certificate, clocks],
];

const ORDER: Severity[] = ['critical', 'warning', 'fine'];

/** What there is to say of a pair, the worst first. */
export function judge(facts: Facts, parts: Parts = partsOf(facts)): Remark[] {
  const said = RULES.map((rule) => rule(facts, parts)).filter((each) => each !== undefined);
  return said.toSorted((one, two) => ORDER.indexOf(one.severity) - ORDER.indexOf(two.severity));
}
