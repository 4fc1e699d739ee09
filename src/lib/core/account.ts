import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { run } from './process.ts';

/** An account of the operating system. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

function parseEntry(line: string): Account | undefined {
  const [name, , uid, gid, , home] = line.split(':');
  if (name === undefined || uid === undefined || gid === undefined || home === undefined) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home };
}

/**
 * Finds an account by name or number. The local file is read first, because starting `getent` costs a command 5 ms;
 * accounts of a directory service are found by `getent`.
 */
export async function findAccount(nameOrUid: string | number): Promise<Account | undefined> {
  const matches = (account: Account | undefined): account is Account =>
    account !== undefined && (account.name === nameOrUid || account.uid === nameOrUid);
  const local = (await readFile('/etc/passwd', 'utf8')).split('\n').map(parseEntry).find(matches);
  if (local !== undefined) return local;
  const answer = await run('getent', ['passwd', '--', String(nameOrUid)], { timeout: 5000 });
  const found = parseEntry(answer.stdout.trim());
  return matches(found) ? found : undefined;
}

/** The name of a group number; undefined where it has none. */
export async function groupName(gid: number): Promise<string | undefined> {
  return (await findGroupLine(gid))?.[0];
}

/** The number of a group; undefined where there is no such group. */
export async function groupNumber(name: string): Promise<number | undefined> {
  const gid = (await findGroupLine(name))?.[2];
  return gid === undefined ? undefined : Number(gid);
}

async function findGroupLine(nameOrGid: string | number): Promise<string[] | undefined> {
  const wanted = String(nameOrGid);
  const matches = (fields: string[]) => fields[typeof nameOrGid === 'string' ? 0 : 2] === wanted;
  const split = (text: string) => text.split('\n').map((line) => line.split(':'));
  const local = split(await readFile('/etc/group', 'utf8')).find(matches);
  if (local !== undefined) return local;
  const answer = await run('getent', ['group', '--', wanted], { timeout: 5000 });
  return split(answer.stdout).find(matches);
}

/** The account that runs this process. An identity without an entry is named by its number. */
export function currentAccount(): Account {
  const uid = process.getuid?.() ?? -1;
  const gid = process.getgid?.() ?? -1;
  try {
    const info = userInfo();
    if (info.uid === uid) return { name: info.username, uid, gid, home: info.homedir };
  } catch {
    // No entry in the account database: containers run so.
  }
  return { name: String(uid), uid, gid, home: '/' };
}

/** Whether this process is root. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}
