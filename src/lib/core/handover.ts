import { createReadStream } from 'node:fs';
import type { Account } from './account.ts';
import { environment } from './config.ts';
import { failure } from './errors.ts';
import { continueAs, run } from './process.ts';

/** The descriptors of a continued run: what the caller prepared, and a file that it opened. */
const PREPARED = 3;
const FILE = 4;

/** Where a continued run finds the file that its caller opened for it. */
export const HANDED_FILE = `/proc/self/fd/${FILE}`;

/** The rest of this run was done by another process; this is its exit status. Not an error. */
export class Continued extends Error {
  override name = 'Continued';
  readonly status: number;

  constructor(status: number) {
    super('continued as another account');
    this.status = status;
  }
}

/** What a caller hands to the account that goes on: plain data, and the descriptor of an open file that it may read. */
export interface Handover {
  prepared?: unknown;
  file?: number;
}

/** Of what a caller prepared: the number of a file that it opened, to write to where the account that goes on may not. */
export interface WithDescriptor {
  handedDescriptor: number;
}

function hasDescriptor(prepared: unknown): prepared is WithDescriptor {
  return typeof prepared === 'object' && prepared !== null && 'handedDescriptor' in prepared;
}

/**
 * What the caller prepared, where this process goes on for one; undefined in a run of its own. It came through a pipe
 * that only the two processes know.
 */
export async function receiveHandover(): Promise<{ prepared: unknown } | undefined> {
  if (environment.handover === undefined) return undefined;
  let text = '';
  for await (const chunk of createReadStream('', { fd: PREPARED, encoding: 'utf8' })) text += chunk as string;
  const { prepared } = JSON.parse(text) as { prepared: unknown };
  return { prepared: hasDescriptor(prepared) ? { ...prepared, handedDescriptor: FILE } : prepared };
}

/**
 * Goes on as an account in another process and ends this one with its exit status. For a Node that cannot change its own
 * identity: one that is linked to the system's libuv (Debian 13's) refuses, because that library might use io_uring.
 */
export async function continueInAnotherProcess(
  account: Account,
  { prepared, file = hasDescriptor(prepared) ? prepared.handedDescriptor : undefined }: Handover,
): Promise<never> {
  const program = process.argv[1] ?? '';
  const identity = [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--init-groups'];
  const readable = await run('setpriv', [...identity, 'test', '-r', program]);
  if (readable.status !== 0) {
    throw failure(
      'permission',
      `${program} cannot be read by ${account.name}, and this Node.js cannot change its own identity`,
      'put the program where every account can read it, for example below /opt',
    );
  }
  const descriptors = [Buffer.from(JSON.stringify({ prepared })), ...(file === undefined ? [] : [file])];
  const command = [process.execPath, ...process.execArgv, program, ...process.argv.slice(2)];
  throw new Continued(await continueAs('setpriv', [...identity, ...command], descriptors));
}
