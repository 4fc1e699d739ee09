import { failure } from '../core/errors.ts';
import { type Refusal, readJson, refusal } from './answers.ts';
import { readClientConfiguration } from './configuration.ts';
import { type Connection, connect } from './connection.ts';
import { get, list, put, recover, remove } from './deposits.ts';
import { askServers } from './health.ts';
import { checkHome, clientFiles, notRegistered, prepareHome } from './home.ts';
import { readKey } from './key.ts';
import { withOutcome } from './outcome.ts';
import { registerClient as register } from './register.ts';
import type {
  ClientOptions,
  ClientReport,
  ClientStatus,
  KeyTrusteeClient,
  RegistrationRequest,
} from './types.ts';

export type {
  ClientError,
  ClientOptions,
  ClientReport,
  ClientStatus,
  Deposit,
  KeyTrusteeClient,
  ListedDeposit,
  Outcome,
  PutOptions,
  RegistrationRequest,
  Retrieved,
  ServerRole,
  ServerState,
} from './types.ts';

/** What a refusal says of a client that proved its key. */
const STATES: Record<string, ClientStatus['state']> = {
  client_pending: 'pending',
  client_disabled: 'disabled',
};

async function askOwn(
  connection: Connection,
  known: Pick<ClientStatus, 'organization' | 'name'>,
): Promise<ClientStatus> {
  const { server, key } = connection;
  const request = { method: 'GET', path: '/v1/client' } as const;
  try {
    return await connection.send({ request }, async ({ peer }, answer) => {
      if (answer.status !== 200) throw refusal(peer, answer);
      const { fingerprint, organization, name, state } = readJson<ClientStatus>(peer, answer);
      return { fingerprint, organization, name, state, server };
    });
  } catch (error) {
    const state = STATES[(error as Refusal).reason ?? ''];
    if (state === undefined) throw error;
    return { fingerprint: key.fingerprint, ...known, state, server };
  }
}

async function askStatus(
  connection: Connection,
  known: Pick<ClientStatus, 'organization' | 'name'>,
): Promise<ClientReport> {
  const { peers, timeout } = connection;
  const [own, servers] = await Promise.all([askOwn(connection, known), askServers(peers.all, timeout)]);
  return { ...own, servers };
}

/** Makes a client known to a server; see RegistrationRequest. The first time makes its key. */
export async function registerClient(request: RegistrationRequest): Promise<ClientStatus> {
  return withOutcome('registered', (course) => register(request, course));
}

/** Opens a registered client. The server is talked to when something is asked of it. */
export async function openClient(options: ClientOptions = {}): Promise<KeyTrusteeClient> {
  const files = clientFiles(options.home);
  await checkHome(files);
  const configuration = await readClientConfiguration(files);
  await prepareHome(files);
  const key = await readKey(files);
  if (key === undefined) throw notRegistered(files.home);
  if (key.fingerprint !== configuration.LOCAL_FINGERPRINT)
    throw failure(
      'state',
      `${files.key} is not the key that was registered`,
      'keytrustee register registers it',
    );
  const connection = await connect(files, key, configuration, options);
  const known = { organization: configuration.ORGANIZATION, name: configuration.NAME };
  return {
    fingerprint: key.fingerprint,
    server: configuration.SERVER,
    put: (content, how = {}) => withOutcome('stored', (course) => put(connection, course, content, how)),
    get: (name) => get(connection, name),
    list: ({ deleted = false } = {}) => list(connection, deleted),
    delete: (name) => withOutcome('deleted', (course) => remove(connection, course, name)),
    recover: (id) => withOutcome('recovered', (course) => recover(connection, course, id)),
    status: () => askStatus(connection, known),
    close: connection.close,
  };
}
