import { createHash } from 'node:crypto';
import { readFile, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failure } from '../../core/errors.ts';
import { lstatOrNothing, syncDirectory, writeAtomically } from '../../core/files.ts';

/** A file of a schedule, and what is to happen to it. */
export interface PlannedFile {
  path: string;
  /** What it is to hold; undefined: it is to be gone. */
  text: string | undefined;
  action: 'write' | 'remove' | 'unchanged';
}

const MARK = /^# Written by ktadmin backup schedule, to be changed by it alone: sha256 ([0-9a-f]{64})\n/;
const digest = (text: string) => createHash('sha256').update(text).digest('hex');

/** A text below the line by which the file is known again as ours and unchanged. */
function marked(text: string): string {
  return `# Written by ktadmin backup schedule, to be changed by it alone: sha256 ${digest(text)}\n${text}`;
}

/** What lies at a path, when this program wrote it and nobody changed it since; undefined where nothing is. */
async function readOurs(path: string): Promise<string | undefined> {
  const stats = await lstatOrNothing(path);
  if (stats === undefined) return undefined;
  const text = stats.isFile() && stats.size < 65_536 ? await readFile(path, 'utf8') : '';
  const match = MARK.exec(text);
  if (match !== null && digest(text.slice(match[0].length)) === match[1]) return text;
  throw failure(
    'conflict',
    `${path} is there, and ktadmin did not write it, or somebody has changed it since`,
    `look at it; when it is not needed: rm ${path}`,
  );
}

/** Finds out what has to be done for a file. Fails where it is not ours. */
export async function planFile(path: string, body: string | undefined): Promise<PlannedFile> {
  const present = await readOurs(path);
  const text = body === undefined ? undefined : marked(body);
  if (text === present) return { path, text, action: 'unchanged' };
  if (text === undefined) return { path, text, action: 'remove' };
  const directory = await lstatOrNothing(dirname(path));
  if (directory === undefined)
    throw failure('notFound', `${dirname(path)} does not exist`, 'give the other --as: cron or systemd');
  return { path, text, action: 'write' };
}

/** Does what was planned. Others may read these files; only root may change them. */
export async function carryOut({ path, text, action }: PlannedFile): Promise<void> {
  if (action === 'write') await writeAtomically(path, text ?? '', 0o644);
  if (action !== 'remove') return;
  await unlink(path);
  await syncDirectory(dirname(path));
}
