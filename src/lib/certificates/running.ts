import { isIP } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { askServer, type ServerState } from '../core/control.ts';
import { failure, KeyTrusteeError } from '../core/errors.ts';
import { checkInterruption } from '../core/interrupt.ts';
import { isLocked } from '../core/lock.ts';
import { endpointOf, probe } from '../tls/probe.ts';

/** How often a server that does not answer yet is asked, and how long: it may be starting, or ending; milliseconds. */
const RETRY = 100;
const WAIT = 30_000;

/** How long a server may take to say how it is: one that is silent is refused before anything is changed; milliseconds. */
const STATE_LIMIT = 5000;

/** So many times as there are workers a client connects, that each of them may be met. */
const ROUNDS = 2;

/** A probe is repeated where a connection came to nothing: a worker may have ended. */
const ATTEMPTS = 3;

/**
 * The server that runs with a configuration; undefined where none does. One that runs and cannot be asked is refused: what
 * it presents could not be exchanged.
 */
export async function findServer(confdir: string, wait = WAIT): Promise<ServerState | undefined> {
  for (const limit = performance.now() + wait; ; ) {
    const told = await askServer(confdir, 'state', STATE_LIMIT);
    if (told !== undefined) return told.value;
    if (!(await isLocked(confdir, 'server'))) return undefined;
    if (performance.now() >= limit) break;
    checkInterruption();
    await pause(RETRY);
  }
  throw failure(
    'state',
    `a server runs with ${confdir} and does not answer there, so it could not be told of a certificate`,
    'where it is still starting, or ending, run the command again when systemctl status keytrusteed says so no more; where it is of an older version, restart it with this one: systemctl restart keytrusteed',
  );
}

/** What is to be presented, and by which name it is asked for. */
export interface Expected {
  host: string;
  fingerprint: string;
}

async function probeAll({ addresses, workers }: ServerState, expected: Expected): Promise<number> {
  const servername = isIP(expected.host) === 0 ? expected.host : undefined;
  let count = 0;
  for (const address of addresses) {
    for (let round = 0; round < ROUNDS * workers; round += 1) {
      const { chain } = await probe(endpointOf(address, servername));
      const fingerprint = chain[0]?.fingerprint256;
      if (fingerprint !== expected.fingerprint) throw differs(address, fingerprint, expected.fingerprint);
      count += 1;
    }
  }
  return count;
}

function differs(address: string, presented: string | undefined, expected: string): KeyTrusteeError {
  return failure(
    'untrusted',
    `${address} presents the certificate ${presented ?? 'of nobody'}, not ${expected}`,
    'look whether another program listens on that address',
  );
}

/**
 * Connects to the server as clients do until each of its workers has presented what is expected, and returns how often; 0
 * where no server runs any more. One that is started again meanwhile is met again.
 */
async function confirmPresented(confdir: string, expected: Expected): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const server = await findServer(confdir);
    if (server === undefined) return 0;
    try {
      return await probeAll(server, expected);
    } catch (error) {
      const isGone = error instanceof KeyTrusteeError && error.code === 'unreachable';
      if (!isGone || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Has the server take over what the settings say now, and sees that it does; 0 where none runs. */
export async function takeOver(
  confdir: string,
  expected: Expected,
  reloaded: () => void = () => undefined,
): Promise<number> {
  if ((await findServer(confdir)) === undefined) return 0;
  const told = await askServer(confdir, 'reload');
  reloaded();
  return told === undefined ? 0 : confirmPresented(confdir, expected);
}

/** Whether clients are presented a certificate; also where no server runs, which would present what the settings name. */
export async function isPresented(
  { confdir, host }: { confdir: string; host: string },
  fingerprint: string,
): Promise<boolean> {
  const server = await findServer(confdir);
  if (server === undefined) return true;
  return probeAll(server, { host, fingerprint }).then(
    () => true,
    () => false,
  );
}
