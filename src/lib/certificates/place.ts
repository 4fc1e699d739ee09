import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Account } from '../core/account.ts';
import { errorCode } from '../core/errors.ts';
import { shellWord } from '../core/quote.ts';
import type { Fault } from '../tls/fault.ts';
import { recognize } from '../tls/material.ts';
import type { Given } from './candidate.ts';

/** Files that a server reads where they lie, whenever it starts. */
export interface PlacedFiles {
  certificate: string;
  key: string | undefined;
  authorities: string | undefined;
  /** A directory that is the server's alone. */
  private?: string;
}

/** Where the files lie that an administrator names; the key may be in the certificate's own. */
export function placesOf({ certificate, key, authorities }: Given): PlacedFiles {
  const material = recognize(Buffer.from(certificate.data ?? '', 'base64'));
  const holdsKey = material !== undefined && (material.isStore || material.keys.length > 0);
  const own = holdsKey ? certificate.path : undefined;
  return { certificate: certificate.path, key: key?.path ?? own, authorities: authorities?.path };
}

const OTHERS = 0o077;
const WRITE_OTHERS = 0o022;
const STICKY = 0o1000;

async function lookAt(path: string): Promise<Stats | undefined> {
  // What is missing or cannot be reached is told by whoever reads the file.
  return stat(path).catch(() => undefined);
}

/** Whether the account may do something with a path. What is missing, nobody is kept from. */
async function may(path: string, what: number): Promise<boolean> {
  return access(path, what).then(
    () => true,
    (error: unknown) => errorCode(error) !== 'EACCES',
  );
}

/** Every directory on the way to a file, from the top; also on the way to where links lead. */
async function directoriesAbove(path: string): Promise<string[]> {
  const found = new Set<string>();
  for (const end of [path, await realpath(path).catch(() => path)])
    for (let place = dirname(end), on = true; on; place = dirname(place)) {
      found.add(place);
      on = place !== dirname(place);
    }
  return [...found].sort((one, other) => one.length - other.length);
}

async function directoryFault(path: string, account: Account): Promise<Fault | undefined> {
  const word = shellWord(path);
  if (!(await may(path, constants.X_OK)))
    return {
      code: 'service-account',
      message: `${path} cannot be entered by ${account.name}`,
      hint: `setfacl -m u:${account.name}:x ${word}, or let ktadmin cert rotate copy the files (without --in-place)`,
    };
  const stats = await lookAt(path);
  if (stats === undefined) return undefined;
  if (stats.uid !== 0 && stats.uid !== account.uid)
    return {
      code: 'owner',
      message: `${path} belongs to user id ${stats.uid}, who can exchange what is in it`,
      hint: `chown root: ${word}, or keep the files elsewhere`,
    };
  if ((stats.mode & WRITE_OTHERS) === 0 || (stats.mode & STICKY) !== 0) return undefined;
  const message = `${path} can be written to by other accounts, who can exchange what is in it`;
  return { code: 'modes', message, hint: `chmod go-w ${word}` };
}

async function readFault(path: string, account: Account): Promise<Fault[]> {
  if (await may(path, constants.R_OK)) return [];
  const hint = `chown ${account.name}: ${shellWord(path)}, or let ktadmin cert rotate copy it (without --in-place)`;
  return [{ code: 'service-account', message: `${path} cannot be read by ${account.name}`, hint }];
}

function ownerFault(path: string, { uid }: Stats, account: Account): Fault[] {
  if (uid === 0 || uid === account.uid) return [];
  const hint = `chown ${account.name}: ${shellWord(path)}`;
  return [{ code: 'owner', message: `${path} belongs to user id ${uid}, not to ${account.name}`, hint }];
}

function modeFault(path: string, stats: Stats, isSecret: boolean): Fault[] {
  const word = shellWord(path);
  if (isSecret && (stats.mode & OTHERS) !== 0) {
    const hint = `chmod ${stats.isDirectory() ? 700 : 600} ${word}`;
    return [{ code: 'modes', message: `${path} is open to other accounts`, hint }];
  }
  if ((stats.mode & WRITE_OTHERS) === 0) return [];
  const message = `${path} can be changed by other accounts`;
  return [{ code: 'modes', message, hint: `chmod go-w ${word}` }];
}

/**
 * What is wrong with where files lie: modes, owners, and whether the service account can read them. The caller is that
 * account by now, so that the system itself answers.
 */
export async function placeFaults(files: PlacedFiles, account: Account): Promise<Fault[]> {
  const secret = [files.private, files.key];
  const paths = [...secret, files.certificate, files.authorities].filter((path) => path !== undefined);
  const above = new Set((await Promise.all(paths.map(directoriesAbove))).flat());
  const faults: Fault[] = [];
  for (const directory of [...above].filter((path) => !paths.includes(path))) {
    const fault = await directoryFault(directory, account);
    if (fault === undefined) continue;
    faults.push(fault);
    // Nothing below can be looked at.
    if (fault.code === 'service-account') return faults;
  }
  for (const path of new Set(paths)) {
    const stats = await lookAt(path);
    if (stats === undefined) continue;
    const found = [...modeFault(path, stats, secret.includes(path)), ...ownerFault(path, stats, account)];
    faults.push(...found, ...(await readFault(path, account)));
  }
  return faults;
}
