import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Account } from './account.ts';
import { isRoot } from './account.ts';
import { failure } from './errors.ts';
import { type Library, loadAll } from './lazy.ts';

/** The declarations of Node 20 lack this one. */
type Initgroups = typeof process & { initgroups(user: string, extraGroup: number): void };

/** Whether this Node can change its identity; one that is linked to the system's libuv may refuse (CVE-2024-22017). */
export function canDropPrivileges(): boolean {
  try {
    process.setegid?.(process.getegid?.() ?? 0);
    return true;
  } catch {
    return false;
  }
}

function readableAs(account: Account, path: string): boolean {
  process.setegid?.(account.gid);
  process.seteuid?.(account.uid);
  try {
    closeSync(openSync(path, constants.O_RDONLY));
    return true;
  } catch {
    return false;
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

/**
 * Makes this process, which root started, an account's own, for good: groups, group, user, in that order, and reads
 * back that there is no way home. Where the account cannot read the program's files, the named libraries (all, where none
 * are named) are loaded first.
 */
export async function dropPrivileges(account: Account, libraries?: Library[]): Promise<void> {
  if (!isRoot()) return;
  if (account.uid === 0) throw failure('permission', 'the service account must not be root');
  if (!readableAs(account, fileURLToPath(import.meta.url))) await loadAll(libraries);
  (process as Initgroups).initgroups(account.name, account.gid);
  process.setgid?.(account.gid);
  process.setuid?.(account.uid);
  if (process.getuid?.() !== account.uid || process.geteuid?.() !== account.uid || canReturn()) {
    throw failure('bug', 'privileges could not be dropped');
  }
  enterReadableDirectory();
}

function canReturn(): boolean {
  try {
    process.setuid?.(0);
    return true;
  } catch {
    return false;
  }
}

function enterReadableDirectory(): void {
  try {
    accessSync(process.cwd(), constants.R_OK | constants.X_OK);
  } catch {
    process.chdir('/');
  }
}
