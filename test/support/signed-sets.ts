/** Files that look like sets, with real receipts by a server's real key: for tests of many sets, where making each would take too long. */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setStem } from '../../src/lib/backups/name.ts';
import { printReceipt, type Receipt, receiptPath } from '../../src/lib/backups/receipt.ts';
import type { SetPlace } from '../../src/lib/backups/survey.ts';
import { confdirFiles } from '../../src/lib/core/config.ts';
import { withKeyring } from '../../src/lib/gpg/program.ts';
import { bareFingerprint } from '../../src/lib/gpg/server-key.ts';
import { clearSignWith } from '../../src/lib/gpg/signature.ts';
import type { TestServer } from './sandbox.ts';

export const HOST = 'kts1.example.com';

/** What a set of a test is: its number, its time, and the text that is its content. */
export interface Planned {
  sequence: number;
  created: Date;
  host?: string;
  ending?: '.tar' | '.tar.gpg';
}

/** A set that can be written into a directory, with a receipt that is good. */
export interface SignedSet extends Required<Planned> {
  name: string;
  content: string;
  receipt: string;
}

/** Signs receipts for sets that exist nowhere yet. */
export async function signSets(server: TestServer, planned: Planned[]): Promise<SignedSet[]> {
  return withKeyring(confdirFiles(server.confdir), async (call) => {
    const sets: SignedSet[] = [];
    for (const { sequence, created, host = HOST, ending = '.tar.gpg' } of planned) {
      const name = `${setStem(host, created)}${ending}`;
      const content = `content of ${name}, number ${sequence}`;
      const receipt: Receipt = {
        format: 1,
        name,
        size: content.length,
        sha256: createHash('sha256').update(content).digest('hex'),
        created: created.toISOString(),
        sequence,
        host,
        fingerprint: server.fingerprint,
        recipients: [],
        rows: {},
        encrypted: ending === '.tar.gpg',
      };
      const signed = await clearSignWith(call, bareFingerprint(server.fingerprint), printReceipt(receipt));
      sets.push({ sequence, created, host, ending, name, content, receipt: signed });
    }
    return sets;
  });
}

/** Writes a set and its receipt into a directory; returns the set's path. */
export async function plantSet(directory: string, set: SignedSet): Promise<string> {
  const path = join(directory, set.name);
  await writeFile(path, set.content, { mode: 0o600 });
  await writeFile(receiptPath(path), set.receipt, { mode: 0o600 });
  return path;
}

/** The place of a server's sets, as the program would have it. */
export function placeIn(server: TestServer, directory: string): SetPlace {
  const { publicKeys } = confdirFiles(server.confdir);
  return { directory, host: HOST, fingerprint: server.fingerprint, publicKeys };
}
