import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { explain } from '../core/errors.ts';
import type { Cluster } from '../database/cluster.ts';
import { type Database, withDatabase } from '../database/connection.ts';
import { type Node, readNode } from '../database/replication/node.ts';
import { type Pair, type PairNode, readNodes, readPair } from '../database/replication/pair.ts';
import { withPeer } from '../database/replication/peer.ts';
import { REPLICATION_DATABASE, replicationFiles } from '../database/replication/place.ts';
import type { Self } from '../database/replication/self.ts';
import { type Look, look } from './look.ts';
import { readMemory } from './memory.ts';

/** No server is waited for longer; milliseconds. */
const LIMIT = 2000;

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
  pair: Pair | undefined;
  nodes: PairNode[];
  /** The fingerprint that it answers with over HTTPS; null where it does not answer there. */
  served: string | null;
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
  /** When the certificate ends by which this server is known to the other one. */
  certificateEnds: Date | null;
}

/** What is looked at. */
export interface Site {
  cluster: Cluster;
  self: Self;
  policy: string;
}

async function askFingerprint(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const path = '/?a=fingerprint';
    const signal = AbortSignal.timeout(LIMIT);
    const asked = request({ host, port, path, agent: false, rejectUnauthorized: false, signal });
    asked
      .on('error', () => resolve(null))
      .on('response', (response) => {
        let body = '';
        response.setEncoding('utf8').on('error', () => resolve(null));
        response.on('data', (piece: string) => {
          body = `${body}${piece}`.slice(0, 100);
        });
        response.on('end', () => resolve(/^\d+R\/[0-9A-F]{40}$/.test(body) ? body : null));
      });
    asked.end();
  });
}

type Answer = Pick<Seen, 'look' | 'reason' | 'hint' | 'pair' | 'nodes'>;

async function lookAround(database: Database): Promise<Answer> {
  const seen = await look(database);
  const [pair, nodes] = [await readPair(database), await readNodes(database)];
  return { look: seen, reason: null, hint: null, pair, nodes };
}

function silent(error: unknown): Answer {
  const { message, hint } = explain(error);
  return { look: null, reason: message, hint: hint ?? null, pair: undefined, nodes: [] };
}

async function seeOwn({ cluster, self }: Site, node: Node | undefined): Promise<Seen> {
  const { host, port, httpsPort, fingerprint, version } = self;
  const [answer, served] = await Promise.all([
    withDatabase(cluster, lookAround, REPLICATION_DATABASE).catch(silent),
    askFingerprint('localhost', httpsPort),
  ]);
  return { here: true, id: node?.id ?? null, host, port, ...answer, served, fingerprint, version };
}

/** The other server: where this one was told that it is, else as it enrolled itself. */
function whereOther(node: Node | undefined, { nodes }: Seen) {
  const enrolled = nodes.filter(({ id }) => id !== node?.id);
  const known = enrolled.find(({ port }) => port === node?.peer?.port) ?? enrolled[0];
  const peer = node?.peer ?? known;
  return peer === undefined ? undefined : { host: peer.host, port: peer.port, known };
}

async function seeOther(site: Site, node: Node | undefined, own: Seen): Promise<Seen | null> {
  const where = whereOther(node, own);
  if (where === undefined) return null;
  const { host, port, known } = where;
  const [answer, served] = await Promise.all([
    withPeer(site.cluster, { host, port }, lookAround, LIMIT).catch(silent),
    known === undefined ? null : askFingerprint(host, known.httpsPort),
  ]);
  // What it says of itself, and not what this server has of it.
  const now =
    answer.nodes.find(({ id }) => (known === undefined ? id !== node?.id : id === known.id)) ?? known;
  const { fingerprint = null, version = null, id = null } = now ?? {};
  return { here: false, id, host, port, ...answer, served, fingerprint: served ?? fingerprint, version };
}

async function certificateEnds(cluster: Cluster): Promise<Date | null> {
  const pem = await readFile(replicationFiles(cluster).certificate).catch(() => undefined);
  return pem === undefined ? null : new Date(new X509Certificate(pem).validTo);
}

/** Looks at both servers of the pair that this one belongs to. A server that does not answer is told of, and is no error. */
export async function gatherFacts(site: Site): Promise<Facts> {
  const node = await readNode(site.cluster);
  const own = await seeOwn(site, node);
  const [other, ends, { away }] = await Promise.all([
    seeOther(site, node, own),
    certificateEnds(site.cluster),
    readMemory(site.cluster),
  ]);
  return { node, own, other, policy: site.policy, away, certificateEnds: ends };
}
