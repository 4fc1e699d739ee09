/** SQL: whether both servers of the pair must have a commit before it is acknowledged. */
export const PAIRED = `current_setting('synchronous_standby_names') <> ''`;

/**
 * SQL: whether the passive server takes part now. Who may not see the state of replication sees null, and is told by the
 * commit itself. The function of the view `pg_stat_replication` alone, which takes a third of the view's time.
 */
export const IS_PASSIVE_HERE = `exists (select from pg_stat_get_wal_senders()
  where (state = 'streaming' and sync_state in ('sync', 'quorum')) or state is null)`;

/** SQL: whether the pair of this server went on without it: what it has is old. */
export const FENCED = `coalesce(current_setting('keytrustee.role', true), '') = 'fenced'`;

/**
 * SQL: whether this connection is to a database that a restore has set aside; it ends then. On the active server PostgreSQL has ended
 * such connections before; the passive one applies the new name, and those that are open there would go on with what is old.
 */
export const SET_ASIDE = `case when current_database() ~ '^keytrustee_(new|old)_[0-9]+$'
  then pg_terminate_backend(pg_backend_pid()) else false end`;

const OWN = `when ${SET_ASIDE} then 'fenced' when ${FENCED} then 'fenced' when current_setting('transaction_read_only')::boolean then 'read_only'`;

/** SQL: why this server alone takes no writes now, as a code of core/refusal.ts; null where it does. It reads settings only. */
export const OWN_REFUSAL = `case ${OWN} end`;

/** SQL: why a write would be refused now, as a code of core/refusal.ts; null where it would not. */
export const REFUSAL = `case ${OWN} when ${PAIRED} and not ${IS_PASSIVE_HERE} then 'passive_away' end`;
