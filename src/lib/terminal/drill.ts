import type { Evidence } from '../backups/drill/drill.ts';
import { type Account, currentAccount, findAccount, isRoot } from '../core/account.ts';
import { DEFAULT_ACCOUNT, environment } from '../core/config.ts';
import { failure } from '../core/errors.ts';
import { lesserAccount } from '../core/ownership.ts';

/** The account that runs the scratch PostgreSQL: oneself; for root, which it refuses, that of a server. */
export async function drillAccount(confdir: string, named: string | undefined): Promise<Account> {
  if (!isRoot()) {
    const self = currentAccount();
    if (named === undefined || named === self.name) return self;
    throw failure('permission', `only root can make a drill as ${named}`, 'leave out --user');
  }
  const account =
    (named === undefined ? await lesserAccount(confdir) : undefined) ??
    (await findAccount(named ?? environment.account ?? DEFAULT_ACCOUNT));
  if (account !== undefined && account.uid !== 0) return account;
  throw failure(
    'permission',
    'PostgreSQL refuses to run as root, and this host has no service account for it',
    'run it as an ordinary user, or name an account: --user NAME',
  );
}

const list = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');

/** What a drill has shown, in words. */
export function describeEvidence(evidence: Evidence): string {
  const {
    set,
    size,
    sha256,
    created,
    sequence,
    host,
    fingerprint,
    rows,
    digests,
    migrations,
    times,
    seconds,
  } = evidence;
  const parts = Object.entries(times).map(([part, time]) => `${part} ${time}`);
  return `${[
    `${set}: the drill passed`,
    `  file        ${size} bytes, SHA-256 ${sha256}`,
    `  set         number ${sequence} of ${created}, ${host}, ${fingerprint}`,
    `  rows        as the server counted them: ${list(rows)}`,
    `  digests     ${Object.keys(digests).length} tables copied out again, each with the bytes of the set`,
    '  key         signs',
    `  migrations  ${migrations.length === 0 ? 'none needed' : migrations.join(', ')}`,
    `  a restore   takes ${seconds} s: ${parts.join(', ')}`,
  ].join('\n')}\n`;
}
