import { X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import { failure, KeyTrusteeError } from '../core/errors.ts';
import { readJson } from './answers.ts';
import {
  type ClientConfiguration,
  checkServer,
  findConfiguration,
  writeClientConfiguration,
} from './configuration.ts';
import { TIMEOUT, warnOther, warnUnchecked } from './connection.ts';
import { type ClientFiles, clientFiles, prepareHome } from './home.ts';
import { checkPair } from './identity.ts';
import { type ClientKey, ensureKey } from './key.ts';
import type { Course } from './outcome.ts';
import { closePeers, type Peers, peersOf } from './peers.ts';
import { type Got, persist } from './retry.ts';
import { postJson, prove } from './session.ts';
import type { ClientStatus, RegistrationRequest } from './types.ts';
import { noteWriter, readWriter } from './writer.ts';

/** Refuses certificates that would only fail later, and less clearly. */
function checkCertificates(pem: string): string {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch {
    blocks.length = 0;
  }
  if (blocks.length > 0) return `${blocks.join('\n')}\n`;
  throw failure('usage', 'the CA file holds no certificate in PEM form');
}

/** What is asked for, in the form that is kept; what is not said is taken from the registration before. */
function configurationOf(
  request: RegistrationRequest,
  before: ClientConfiguration | undefined,
): Omit<ClientConfiguration, 'LOCAL_FINGERPRINT'> {
  const server = request.server === undefined ? before?.SERVER : checkServer(request.server);
  const organization = request.organization ?? before?.ORGANIZATION;
  if (server === undefined || organization === undefined)
    throw failure('usage', 'name the server and the organization', 'give --server and --org');
  const old = before?.SERVER === server ? before : undefined;
  const passive = request.passiveServer ?? old?.PASSIVE_SERVER;
  const skipSslCheck = request.skipSslCheck ?? (request.caCertificate === undefined && old?.SKIP_SSL_CHECK);
  const caCertificate = skipSslCheck ? undefined : (request.caCertificate ?? old?.CA_CERTIFICATE);
  return {
    SERVER: server,
    ...(passive === undefined ? {} : { PASSIVE_SERVER: checkServer(passive) }),
    ORGANIZATION: organization,
    NAME: request.name ?? before?.NAME ?? hostname(),
    ...(caCertificate === undefined ? {} : { CA_CERTIFICATE: checkCertificates(caCertificate) }),
    ...(skipSslCheck === true ? { SKIP_SSL_CHECK: true } : {}),
  };
}

/** Proves the key, and registers, at one server: the challenge of one is not known to another. */
async function announce(
  peers: Peers,
  key: ClientKey,
  { ORGANIZATION: organization, NAME: name }: ClientConfiguration,
  { course, code, timeout }: { course: Course; code: string | undefined; timeout: number },
): Promise<Got<ClientStatus>> {
  const asked = { organization, name, publicKey: key.publicKey, ...(code === undefined ? {} : { code }) };
  return persist(peers, { timeout, course }, async (attempt) => {
    const proof = await prove(attempt, key);
    const answer = await postJson(attempt, '/v1/clients', { ...asked, ...proof }, course);
    return readJson<ClientStatus>(attempt.peer, answer);
  });
}

/** What the registration before wrote; one that cannot be read is written anew. */
async function configurationBefore(files: ClientFiles): Promise<ClientConfiguration | undefined> {
  try {
    return await findConfiguration(files);
  } catch (error) {
    if (error instanceof KeyTrusteeError && error.code === 'state') return undefined;
    throw error;
  }
}

/**
 * Makes this client known to a server, with a key of its own that is made at the first time. It can be done again: with
 * the code that was missing, another address of the server, or other certificates. Only what succeeded is kept.
 */
export async function registerClient(request: RegistrationRequest, course: Course): Promise<ClientStatus> {
  const files = clientFiles(request.home);
  await prepareHome(files);
  const before = await configurationBefore(files);
  const asked = configurationOf(request, before);
  const key = await ensureKey(files, asked.NAME);
  const configuration = { LOCAL_FINGERPRINT: key.fingerprint, ...asked };
  const { SERVER: server, PASSIVE_SERVER: passive, CA_CERTIFICATE, SKIP_SSL_CHECK } = configuration;
  const { code, warn, timeout = TIMEOUT } = request;
  warnUnchecked(SKIP_SSL_CHECK, warn);
  const trust = { caCertificate: CA_CERTIFICATE, skipSslCheck: SKIP_SSL_CHECK };
  const peers = peersOf({ server, passive }, trust, await readWriter(files));
  const end = performance.now() + timeout;
  try {
    await checkPair(peers.all, { timeout: timeout / 2, warn });
    const got = await announce(peers, key, configuration, { course, code, timeout: end - performance.now() });
    warnOther(peers, got, warn);
    await writeClientConfiguration(files, configuration);
    await noteWriter(files, peers, got.peer);
    return { ...got.value, server };
  } finally {
    closePeers(peers);
  }
}
