import type { X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import type { ServerState } from '../core/control.ts';
import { failure, KeyTrusteeError } from '../core/errors.ts';
import { endpointOf, probe } from '../tls/probe.ts';
import { critical, type Finding, fine, LOOK_LIMIT, warning } from './diagnosis.ts';

const START = 'systemctl start keytrusteed';
const REJOIN = 'ktadmin ha rejoin';
const LOG = 'journalctl -u keytrusteed';

/** No answer about readiness is longer; characters. */
const LONGEST = 4096;

/** Asks a server on this machine by HTTPS whether it is ready; whose certificate it shows is another question. */
async function askReadiness(address: string): Promise<{ status: number | undefined; body: string }> {
  const { host, port } = endpointOf(address);
  return new Promise((resolve, reject) => {
    const asked = request({
      ...{ host, port, path: '/v1/health/ready', agent: false, rejectUnauthorized: false },
      signal: AbortSignal.timeout(LOOK_LIMIT - 500),
    });
    asked.on('error', reject).on('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('error', reject);
      response.on('data', (piece: string) => {
        if (body.length < LONGEST) body += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    asked.end();
  });
}

/** Judges a server that is not ready, as it says itself; it is refused like any other request where there are too many. */
function judgeNotReady(body: string): Finding {
  const { checks, role } = JSON.parse(body) as { checks?: Record<string, string>; role?: string };
  if (checks === undefined) return critical('is too busy to answer', LOG);
  if (role === 'fenced') return critical('is fenced: its pair went on without it', REJOIN);
  const failed = Object.keys(checks).filter((name) => checks[name] !== 'ok');
  return critical(`is not ready: ${failed.join(', ')}`, LOG);
}

/** Judges a server that is ready: a passive one takes no writes, and is as it should be. */
function judgeReady(body: string, words: string): Finding {
  const { role, reason } = JSON.parse(body) as { role?: string; reason?: string };
  if (role === 'passive') return fine(`${words}, passive`);
  if (reason !== 'passive_away') return fine(words);
  return warning(`${words}; it takes no writes: the passive server is away`, 'ktadmin ha status');
}

async function judgeAnswer({ addresses: [address = ''], pid }: ServerState): Promise<Finding> {
  let answer: Awaited<ReturnType<typeof askReadiness>>;
  try {
    answer = await askReadiness(address);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    const reason = code === 'ABORT_ERR' ? 'in time' : `(${String(code)})`;
    return critical(`does not answer ${reason} at ${address}`, LOG);
  }
  const { status, body } = answer;
  if (status === 200) return judgeReady(body, `ready at ${address}, pid ${pid}`);
  if (status !== 503) return critical(`answers with status ${String(status)} at ${address}`, LOG);
  return judgeNotReady(body);
}

/** Judges the server that runs, if one does: whether it answers, also by HTTPS, and can serve. */
export async function checkServing(ask: () => Promise<ServerState | undefined>): Promise<Finding> {
  try {
    const state = await ask();
    return state === undefined ? critical('does not run', START) : await judgeAnswer(state);
  } catch (error) {
    if (!(error instanceof KeyTrusteeError)) throw error;
    return critical(error.message, LOG);
  }
}

/** So many times as there are workers a client connects, that each of them may be met. */
const ROUNDS = 2;

const namesOf = (chain: X509Certificate[]) => chain.map(({ fingerprint256 }) => fingerprint256);

/** What else than a chain is presented at an address; undefined where every process presents that one. */
async function difference(
  address: string,
  { host, workers }: { host: string; workers: number },
  wanted: string[],
): Promise<string | undefined> {
  const others: string[][] = [];
  for (let round = 0; round < ROUNDS * workers; round += 1) {
    const { chain } = await probe(endpointOf(address, host), LOOK_LIMIT - 500);
    if (namesOf(chain).join() !== wanted.join()) others.push(namesOf(chain));
  }
  if (others.length === 0) return undefined;
  const which = others.every(([own]) => own === wanted[0]) ? 'chain' : 'certificate';
  const who = others.length < ROUNDS * workers ? 'some of its processes present ' : '';
  return `${who}another ${which} than keytrustee.conf names`;
}

/** Judges whether the server that runs presents what the settings name, in each of its processes. */
export async function checkPresented(
  state: ServerState | undefined,
  host: string,
  chain: X509Certificate[],
): Promise<Finding> {
  if (state === undefined) throw failure('state', 'nothing is presented: the server does not run', START);
  const { workers, addresses } = state;
  for (const address of addresses) {
    const differs = await difference(address, { host, workers }, namesOf(chain));
    if (differs !== undefined) return warning(differs, 'systemctl reload keytrusteed');
  }
  return fine('what keytrustee.conf names');
}
