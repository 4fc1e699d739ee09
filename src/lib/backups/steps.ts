/** The points of a backup at which a test ends the process (core/steps.ts), in the order in which a run comes by. */
export const BACKUP_STEPS = [
  'backup-receipt-written',
  'backup-published',
  'backup-rolled-set',
  'backup-rolled-one',
] as const;

/** The points of `restore --only` at which a test ends the process, in the order in which a run comes by. */
export const ONLY_STEPS = ['only-loaded', 'only-copied', 'only-checked', 'only-committed'] as const;

/** The same for a restore: between any two of them something durable changes. */
export const RESTORE_STEPS = [
  'restore-decrypted',
  'restore-verified',
  'restore-running',
  'restore-extracted',
  'restore-staged',
  'restore-created',
  'restore-loaded',
  'restore-migrated',
  'restore-compared',
  'restore-journal-written',
  'restore-journaled',
  'restore-database-exchanged',
  'restore-former-moved',
  'restore-placed',
  'restore-checked',
  'restore-closed',
] as const;

/** The same for a restore of an unsigned set; its exchange comes by the steps of every restore. */
export const UNSIGNED_STEPS = [
  'unsigned-written',
  'unsigned-created',
  'unsigned-loaded',
  'restore-journaled',
  'restore-database-exchanged',
  'restore-former-moved',
  'unsigned-exchanged',
] as const;

/** The same for `restore --undo`. */
export const UNDO_STEPS = [
  'undo-running',
  'undo-compared',
  'undo-journal-written',
  'undo-journaled',
  'undo-database-exchanged',
  'undo-former-moved',
  'undo-placed',
  'undo-checked',
  'undo-closed',
] as const;

/** The same for the way back of an exchange that was cut off, or that failed. */
export const REVERT_STEPS = [
  'revert-taken-away',
  'revert-put-back',
  'revert-database-exchanged',
  'revert-closed',
] as const;

/** The same for a drill. */
export const DRILL_STEPS = [
  'drill-scratch-made',
  'drill-cluster-started',
  'drill-extracted',
  'drill-loaded',
  'drill-checked',
] as const;
