import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { abandonedDirectories, temporaryPrefix } from '../core/abandoned.ts';
import { exists } from '../core/files.ts';
import { run } from '../core/process.ts';
import { endRemnants } from '../core/remnants.ts';

/** Where private directories are made: GnuPG's sockets need a short path (hazard GP-14). */
const PLACE = '/tmp';

const gpgconf = (home: string, ...args: string[]) =>
  run('gpgconf', ['--homedir', home, ...args], { cleanUp: true }).catch(() => undefined);

/**
 * Ends the agent of a home; it would end by itself once its home is gone, but a minute later. Where the user has a run-time
 * directory, GnuPG has put the sockets there, in a directory of their own, which goes too.
 */
async function stopAgent(home: string): Promise<void> {
  if (await exists(join(home, 'S.gpg-agent'))) {
    await gpgconf(home, '--kill', 'gpg-agent');
    return;
  }
  const answer = await gpgconf(home, '--list-dirs', 'agent-socket');
  const socket = decodeURIComponent(answer?.stdout.trim() ?? '');
  if (socket === '' || socket.startsWith(home)) return;
  if (await exists(socket)) await gpgconf(home, '--kill', 'gpg-agent');
  await gpgconf(home, '--remove-socketdir');
}

/** Takes away what killed runs of this account left: a directory each, and an agent that would stay for ever. */
async function sweepAbandoned(prefix: string): Promise<void> {
  for (const home of await abandonedDirectories(PLACE, prefix)) {
    await stopAgent(home);
    await rm(home, { recursive: true, force: true });
  }
}

/**
 * Lends a private directory with a short path, named after this process, and takes it away afterwards with the agent
 * that GnuPG may have started in it.
 */
export async function withPrivateHome<T>(work: (home: string) => Promise<T>): Promise<T> {
  const prefix = await temporaryPrefix('ktgpg');
  await sweepAbandoned(prefix);
  const home = await mkdtemp(join(PLACE, `${prefix}${process.pid}-`));
  try {
    return await work(home);
  } catch (error) {
    // GnuPG may have been ended while it was starting its agent, which has no socket yet by which it could be told to end.
    await endRemnants(home);
    throw error;
  } finally {
    await stopAgent(home);
    await rm(home, { recursive: true, force: true });
  }
}
