import { basename, resolve } from 'node:path';
import type { PlannedFile } from '../backups/schedule/files.ts';

/** What a schedule came to: its files, and what is left to be done by hand. */
export interface ScheduleResult {
  files: { path: string; action: PlannedFile['action'] }[];
  dryRun: boolean;
  next: string[];
}

/** Node, this program by the name it was called by, and the words that name `backup`: the same at night. */
export function ownWords(): string[] {
  const program = resolve(process.argv[1] ?? 'ktadmin');
  return [process.execPath, program, ...(basename(program).startsWith('ktbackup') ? [] : ['backup'])];
}

/** The files as they will be, for the person who is asked. */
export function describeFiles(files: PlannedFile[]): string {
  const parts = files.map(({ path, text, action }) =>
    text === undefined
      ? `${path} will be removed`
      : `${path}${action === 'unchanged' ? ' (unchanged)' : ''}:\n\n${text}`,
  );
  return parts.join('\n');
}

const DONE = { write: 'Wrote', remove: 'Removed', unchanged: 'Unchanged' };
const PLANNED = { write: 'Would write', remove: 'Would remove', unchanged: 'Unchanged' };

/** What was done, or would be, a line for each file. */
export function describeSchedule({ files, dryRun, next }: ScheduleResult): string {
  if (files.length === 0) return 'There is no schedule\n';
  const words = dryRun ? PLANNED : DONE;
  const lines = files.map(({ path, action }) => `${words[action]} ${path}`);
  return [
    ...lines,
    ...(next.length === 0 ? [] : ['Next, as root:', ...next.map((step) => `  ${step}`)]),
    '',
  ].join('\n');
}
