import { randomBytes } from 'node:crypto';
import * as z from 'zod/mini';
import { failure } from '../../core/errors.ts';
import { readSmallFile, writeAtomically } from '../../core/files.ts';
import type { Cluster } from '../cluster.ts';
import { replicationFiles } from './place.ts';

const peer = z.object({ host: z.string().check(z.minLength(1)), port: z.number() });

const node = z.object({
  id: z.string().check(z.regex(/^kt[0-9a-f]{16}$/)),
  role: z.enum(['alone', 'active', 'passive', 'fenced']),
  epoch: z.number().check(z.nonnegative()),
  peer: z.nullable(peer),
  aloneSince: z.optional(z.nullable(z.string().check(z.minLength(1)))),
  copyOf: z.optional(z.string().check(z.minLength(1))),
  joining: z.optional(peer),
});

/** Where the other server's PostgreSQL is reached. */
export type Peer = z.infer<typeof peer>;

/** What a host is in a pair; `fenced`: it was the active one, and the pair went on without it. */
export type Role = z.infer<typeof node>['role'];

/**
 * Who a host is: its own name for PostgreSQL, what it was last, the epoch of its pair that it knows, and the other server. It
 * lies outside the data directory and the configuration directory: both are copied to other hosts. `aloneSince` (ISO 8601) is
 * written before a change can be acknowledged by this server alone, and becomes null once another one has all of them; where an
 * earlier version wrote the file it is not known. `copyOf` is the server whose configuration directory a host was given, until it
 * joins one; `joining` the one that it is to follow, until it does.
 */
export type Node = z.infer<typeof node>;

/** A host that is in no pair yet; `copyOf` where its configuration directory came from another one. */
export function newNode(copyOf?: string): Node {
  const id = `kt${randomBytes(8).toString('hex')}`;
  const node: Node = { id, role: 'alone', epoch: 0, peer: null, ...alone() };
  return copyOf === undefined ? node : { ...node, copyOf };
}

/**
 * A host that follows, or is about to: what was known of it as anything else is over. What a server had that was in no pair is its own
 * affair; only what a member of one acknowledged alone is asked for.
 */
export function passiveNode({ id, role, aloneSince }: Node, epoch: number, following: Peer): Node {
  const since = role === 'alone' ? null : aloneSince;
  return {
    id,
    role: 'passive',
    epoch,
    peer: following,
    ...(since === undefined ? {} : { aloneSince: since }),
  };
}

/** Since when changes count on a server alone: from now on, unless they did so before. */
export function alone({ aloneSince }: Partial<Node> = {}): { aloneSince: string } {
  return { aloneSince: aloneSince ?? new Date().toISOString() };
}

const MAXIMUM_SIZE = 65_536;

/** Reads who this host is; undefined where `ktadmin init` of this version has not run. */
export async function readNode(cluster: Pick<Cluster, 'root'>): Promise<Node | undefined> {
  const path = replicationFiles(cluster).node;
  const text = await readSmallFile(path, MAXIMUM_SIZE);
  if (text === undefined) return undefined;
  try {
    return node.parse(JSON.parse(text));
  } catch {
    throw failure(
      'failed',
      `${path} does not say who this host is`,
      'ktadmin ha status; take it out of a copy',
    );
  }
}

/** Reads who this host is, or fails where it was not prepared for a pair. */
export async function requireNode(cluster: Pick<Cluster, 'root'>): Promise<Node> {
  const found = await readNode(cluster);
  if (found !== undefined) return found;
  throw failure(
    'state',
    'this server is not prepared for a pair',
    'ktadmin init makes what is missing; then ktadmin db restart',
  );
}

/** Writes who this host is. */
export async function writeNode(cluster: Pick<Cluster, 'root'>, value: Node): Promise<void> {
  await writeAtomically(replicationFiles(cluster).node, `${JSON.stringify(value, null, 4)}\n`);
}
