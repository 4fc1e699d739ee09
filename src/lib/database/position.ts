import type { WriteRefusalCode } from '../core/refusal.ts';
import type { Statement } from './reader.ts';
import type { Role } from './replication/node.ts';
import { FENCED, PAIRED, REFUSAL } from './writable.ts';

/** Where a server stands now. One that is promoted is active at once, whatever its settings still say. */
export interface Position {
  role: Role;
  /** Why a write would be refused; null: it would not. */
  refusal: WriteRefusalCode | null;
}

/** The question for a `Position`. */
export const POSITION: Statement = {
  name: 'position',
  text: `select ${REFUSAL} as refusal, case
    when ${FENCED} then 'fenced'
    when pg_is_in_recovery() then 'passive'
    when ${PAIRED} or coalesce(current_setting('keytrustee.role', true), '') not in ('', 'alone') then 'active'
    else 'alone' end as role`,
  values: [],
};
