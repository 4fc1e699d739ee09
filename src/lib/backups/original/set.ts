import type { FileHandle } from 'node:fs/promises';
import type { FoundMember } from '../../archive/read.ts';

/** The part of an unsigned set that can be read before its dump. */
export interface UnsignedFiles {
  handle: FileHandle;
  /** Where the configuration lay. */
  confdir: string;
  /** Members of the configuration directory, by their path below it. */
  files: Map<string, FoundMember>;
  /** `keytrustee.conf`, its values not looked at but for the fingerprint. */
  configuration: Record<string, unknown>;
  fingerprint: string;
  dump: FoundMember;
}

/** A backup set that nobody signed: one of the original product, or what the manual's zip files hold. */
export interface UnsignedSet extends UnsignedFiles {
  /** Rows by table, as the dump has them. */
  rows: Map<string, number>;
  /** Whether the dump begins by dropping what it makes. */
  cleans: boolean;
}
