import { join } from 'node:path';
import type { Account } from '../core/account.ts';
import { environment } from '../core/config.ts';
import { lstatOrNothing } from '../core/files.ts';

/**
 * The GnuPG home that an account's recipients are looked up in: `$GNUPGHOME`; else that of `$HOME`, where it is the
 * account's own (under sudo it can be somebody else's); else that of its entry in the account database.
 */
export async function keyringOf(account: Account): Promise<string> {
  if (environment.gnupgHome !== undefined) return environment.gnupgHome;
  const { home } = environment;
  const stats = home === undefined ? undefined : await lstatOrNothing(home).catch(() => undefined);
  return join(home !== undefined && stats?.uid === account.uid ? home : account.home, '.gnupg');
}
