/** In which order the files of tests run. */
import { relative, sep } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The files that take the longest, the longest first, below `test/` and without `.test.ts`: a long one that is begun last would
 * keep the whole run waiting while the other processors have nothing to do. The order alone depends on it, so that it need
 * not be exact; cron is the first because it waits for the next minute to begin and needs no processor meanwhile.
 */
const LONGEST = [
  'compatibility/cron',
  'commands/restore-only',
  'commands/backup-faults',
  'commands/restore-faults',
  'commands/client/deposits',
  'commands/restore-only-faults',
  'commands/restore',
  'commands/restore-undo',
  'quickstart',
  'commands/restore-original',
  'commands/db/start',
  'commands/init-interrupted',
  'commands/backup',
  'commands/backup-killed',
  'commands/backup/drill',
  'commands/restore-zip',
  'commands/init',
  'commands/init-refusals',
  'commands/mail/delivery',
  'commands/restore-elsewhere',
  'program/endings',
  'commands/restore-crash',
  'commands/backup/verify',
  'commands/backup/schedule',
  'commands/backup-hazards',
  'commands/another-process',
  'program/help',
  'compatibility/command-lines',
  'chaos',
  'commands/backup-roll',
];

/** Runs the longest files first, and the others as vitest would. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const path = relative(this.ctx.config.root, moduleId).split(sep).join('/');
      const found = LONGEST.indexOf(path.replace(/^test[/]|[.]test[.]ts$/g, ''));
      return found === -1 ? LONGEST.length : found;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
