import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../../core/files.ts';
import type { Cluster } from '../cluster.ts';
import { REPLICATION_DATABASE, REPLICATION_ROLE } from './place.ts';

const RULES = `# The other server of a pair, by its certificate alone.
hostssl replication ${REPLICATION_ROLE} all cert
hostssl ${REPLICATION_DATABASE} ${REPLICATION_ROLE} all cert
`;

const INCLUDE = "include_if_exists = 'replication.conf'";

async function append(path: string, lines: string, isThere: (text: string) => boolean): Promise<boolean> {
  const text = await readFile(path, 'utf8');
  if (isThere(text)) return false;
  await writeAtomically(path, `${text.replace(/\n*$/, '\n')}${lines}`, (await stat(path)).mode & 0o777);
  return true;
}

/** Has PostgreSQL let the other server in, and read what belongs to the pair. Files that are so already are not touched. */
export async function admitPeer({ root }: Cluster): Promise<boolean> {
  const rules = await append(join(root, 'pg_hba.conf'), RULES, (text) => text.includes(REPLICATION_ROLE));
  const settings = await append(
    join(root, 'postgresql.conf'),
    `\n# Replication; last, because it wins over what stands above.\n${INCLUDE}\n`,
    (text) => /^\s*include_if_exists\s*=?\s*'replication\.conf'/m.test(text),
  );
  return rules || settings;
}
