/** The points of a backup at which a test ends the process (core/steps.ts), in the order in which a run comes by. */
export const BACKUP_STEPS = [
  'backup-receipt-written',
  'backup-published',
  'backup-rolled-set',
  'backup-rolled-one',
] as const;

/** The points of `restore --only` at which a test ends the process, in the order in which a run comes by. */
export const ONLY_STEPS = ['only-loaded', 'only-copied', 'only-checked', 'only-committed'] as const;
