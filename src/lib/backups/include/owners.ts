import { currentAccount, findAccount, groupNumber, isRoot } from '../../core/account.ts';
import { failure } from '../../core/errors.ts';
import type { ClientManifest } from './manifest.ts';

/** The numbers that this host has for the names in a set. */
export interface Owners {
  users: Map<string, number>;
  groups: Map<string, number>;
}

/** What had no name when the set was made is stored by its number. */
function unnamed(name: string): number | undefined {
  const digits = /^#(\d{1,10})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

async function numbers(
  names: string[],
  find: (name: string) => Promise<number | undefined>,
): Promise<{ found: Map<string, number>; missing: string[] }> {
  const found = new Map<string, number>();
  const missing: string[] = [];
  for (const name of new Set(names)) {
    const number = unnamed(name) ?? (await find(name));
    if (number === undefined) missing.push(name);
    else found.set(name, number);
  }
  return { found, missing };
}

/**
 * Finds every owner and group of a set on this host, by name: on a new host the numbers are others (hazard TA-17). Fails
 * where one is missing, and where this account may not give files to it.
 */
export async function findOwners({ members: all, key }: ClientManifest): Promise<Owners> {
  // The key is no part of what is put back.
  const members = all.filter(({ path }) => path !== key);
  const users = await numbers(
    members.map(({ owner }) => owner),
    async (name) => (await findAccount(name))?.uid,
  );
  const groups = await numbers(
    members.map(({ group }) => group),
    groupNumber,
  );
  if (users.missing.length > 0 || groups.missing.length > 0) {
    const missing = [
      ...users.missing.map((name) => `the account ${name}`),
      ...groups.missing.map((name) => `the group ${name}`),
    ];
    throw failure(
      'notFound',
      `files of the set belong to what this host does not have: ${missing.join(', ')}`,
      'install the program whose files they are, or make them, and run it again',
    );
  }
  const { uid, name } = currentAccount();
  const stranger = [...users.found].find(([, number]) => number !== uid);
  if (!isRoot() && stranger !== undefined)
    throw failure(
      'permission',
      `files of the set belong to ${stranger[0]}, and ${name} cannot give them away`,
      'run it as root',
    );
  return { users: users.found, groups: groups.found };
}
