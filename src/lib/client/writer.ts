import * as z from 'zod/mini';
import { writeAtomically } from '../core/files.ts';
import { type ClientFiles, readOwn } from './home.ts';
import type { Peer } from './http.ts';
import type { Peers } from './peers.ts';

const LIMIT = 4096;

/** `client.state`: one JSON object, there only where another server than the first took a write. */
const state = z.object({ LAST_WRITER: z.string() });

/**
 * The address of the server that took this client's last write, where it is known. It is asked first, and decides nothing
 * else but who is believed: what is lost or damaged costs a detour, and never a deposit.
 */
export async function readWriter(files: ClientFiles): Promise<string | undefined> {
  const bytes = await readOwn(files.state, LIMIT);
  try {
    return bytes === undefined ? undefined : state.parse(JSON.parse(bytes.toString('utf8'))).LAST_WRITER;
  } catch {
    return undefined;
  }
}

/** Remembers which server took a write, for the next run too. That it cannot be kept is no reason to fail. */
export async function noteWriter(files: ClientFiles, peers: Peers, peer: Peer): Promise<void> {
  if (peer === (peers.writer ?? peers.all[0])) return;
  peers.writer = peer;
  try {
    await writeAtomically(files.state, `${JSON.stringify({ LAST_WRITER: peer.url })}\n`);
  } catch {
    // A full disk must not turn what was written into a failure.
  }
}
