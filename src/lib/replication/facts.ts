import { errorCode, explain } from '../core/errors.ts';
import type { Cluster } from '../database/cluster.ts';
import { type Database, withDatabase } from '../database/connection.ts';
import { type Node, readNode } from '../database/replication/node.ts';
import { readOwnCertificate } from '../database/replication/own-certificate.ts';
import { type Pair, type PairNode, readNodes, readPair } from '../database/replication/pair.ts';
import { withPeer } from '../database/replication/peer.ts';
import { REPLICATION_DATABASE } from '../database/replication/place.ts';
import type { Self } from '../database/replication/self.ts';
import { foundBy } from './active-server.ts';
import { askFingerprint, askSpace } from './ask-https.ts';
import { askClock } from './clock.ts';
import { type Look, look } from './look.ts';
import { readMemory } from './memory.ts';
import { whereOther, whoAnswers } from './whereabouts.ts';

/** No server is waited for longer; milliseconds. */
const LIMIT = 2000;

/**
 * How a server does not answer: its host says that nothing listens there, nothing is heard of it, or something else, which the
 * reason tells.
 */
type Absence = 'refused' | 'silent' | 'other';

/** One server of a pair, as far as it could be looked at. */
export interface Seen {
  /** Whether it is the one that looks. */
  here: boolean;
  id: string | null;
  host: string;
  port: number;
  /** What its PostgreSQL says; null where it does not answer. */
  look: Look | null;
  /** Why it does not, and what to do on this host. */
  reason: string | null;
  hint: string | null;
  absence: Absence | null;
  /** By how many milliseconds its clock is ahead of this program's; null where it does not answer. */
  clock: number | null;
  pair: Pair | undefined;
  nodes: PairNode[];
  /** The fingerprint that it answers with over HTTPS; null where it does not answer there. */
  served: string | null;
  /** Whether it is known at which port it is to answer there. */
  isHttpsKnown: boolean;
  /** Whether it says there that less is free than FREE_SPACE_MEGABYTES asks for. */
  isShort: boolean;
  /** The key and the version that it is known to have. */
  fingerprint: string | null;
  version: string | null;
}

/** All that one server can find out of its pair. */
export interface Facts {
  node: Node | undefined;
  own: Seen;
  /** Null where there is none. */
  other: Seen | null;
  policy: string;
  /** Since when the passive is away, as the server that runs here has noticed. */
  away: string | null;
  /** In which run of PostgreSQL (its start, ISO 8601) it has seen the passive in step. */
  inStepSince: string | null;
  /** When the certificate ends by which this server is known to the other one, or that of the authority of both: the earlier. */
  certificateEnds: Date | null;
  /** Whether that is the authority's. */
  isAuthorityFirst: boolean;
  /** What is wrong with the files of that certificate: missing, or no certificate at all. */
  certificateFault: string | null;
}

/** What is looked at. */
export interface Site {
  cluster: Cluster;
  self: Self;
  policy: string;
}

type Answer = Pick<Seen, 'look' | 'reason' | 'hint' | 'absence' | 'clock' | 'pair' | 'nodes'>;

async function lookAround(database: Database): Promise<Answer> {
  const seen = await look(database);
  const clock = await askClock(database);
  const [pair, nodes] = [await readPair(database), await readNodes(database)];
  return { look: seen, reason: null, hint: null, absence: null, clock, pair, nodes };
}

/** A name that is not known, or a certificate that is not believed, is no matter of the network. */
function absenceOf(error: unknown): Absence {
  const found = foundBy(error);
  const isNameless = /^(?:ENOTFOUND|EAI_AGAIN)$/.test(errorCode((error as Error).cause) ?? '');
  return isNameless || found === 'active' || found === 'answers' ? 'other' : found;
}

function silent(error: unknown): Answer {
  const { message, hint = null } = explain(error);
  const absence = absenceOf(error);
  return { look: null, reason: message, hint, absence, clock: null, pair: undefined, nodes: [] };
}

async function seeOwn({ cluster, self }: Site, node: Node | undefined): Promise<Seen> {
  const { host, port, httpsPort, fingerprint, version } = self;
  const [answer, served] = await Promise.all([
    withDatabase(cluster, lookAround, REPLICATION_DATABASE).catch(silent),
    askFingerprint('localhost', httpsPort, LIMIT),
  ]);
  const own = { here: true, id: node?.id ?? null, host, port };
  return { ...own, ...answer, served, isHttpsKnown: true, isShort: false, fingerprint, version };
}

async function seeOther(site: Site, node: Node | undefined, own: Seen): Promise<Seen | null> {
  const where = whereOther(node, own);
  if (where === undefined) return null;
  const { host, port, known } = where;
  // Where this server's database cannot be asked, both have the same setting: the configuration was copied.
  const likely = known?.httpsPort ?? site.self.httpsPort;
  const [answer, first] = await Promise.all([
    withPeer(site.cluster, { host, port }, lookAround, LIMIT).catch(silent),
    askFingerprint(host, likely, LIMIT),
  ]);
  // What it says of itself, and not what this server has of it.
  const now = whoAnswers(answer) ?? answer.nodes.find(({ id }) => id === known?.id) ?? known;
  const isOther = now !== undefined && now.httpsPort !== likely;
  const served = isOther ? await askFingerprint(host, now.httpsPort, LIMIT) : first;
  const isShort = served !== null && (await askSpace(host, now?.httpsPort ?? likely, LIMIT));
  const { fingerprint = null, version = null, id = null } = now ?? {};
  return {
    ...{ here: false, id, host, port, ...answer, served, isHttpsKnown: now !== undefined, isShort },
    ...{ fingerprint: served ?? fingerprint, version },
  };
}

type Certified = Pick<Facts, 'certificateEnds' | 'isAuthorityFirst' | 'certificateFault'>;

const UNKNOWN: Certified = { certificateEnds: null, isAuthorityFirst: false, certificateFault: null };

async function lookAtCertificate({ cluster }: Site, node: Node | undefined): Promise<Certified> {
  // Before `init` has prepared a server for a pair it has none.
  if (node === undefined) return UNKNOWN;
  try {
    const { ends, authorityEnds } = await readOwnCertificate(cluster);
    const isAuthorityFirst = authorityEnds < ends;
    return { ...UNKNOWN, certificateEnds: isAuthorityFirst ? authorityEnds : ends, isAuthorityFirst };
  } catch (error) {
    return { ...UNKNOWN, certificateFault: explain(error).message };
  }
}

/** Looks at both servers of the pair that this one belongs to. A server that does not answer is told of, and is no error. */
export async function gatherFacts(site: Site): Promise<Facts> {
  const node = await readNode(site.cluster);
  const own = await seeOwn(site, node);
  const [other, certified, { away, seen: inStepSince }] = await Promise.all([
    seeOther(site, node, own),
    lookAtCertificate(site, node),
    readMemory(site.cluster),
  ]);
  return { node, own, other, policy: site.policy, away, inStepSince, ...certified };
}
