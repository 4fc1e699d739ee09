/** Machines that are clients of a server, for tests: they speak /v1 with keys of openpgp.js. */
import { createMessage, generateKey, type PrivateKey, sign } from 'openpgp';
import type { TestServer } from './sandbox.ts';
import { type Answer, ask } from './serving.ts';

/** An answer whose body is JSON, or empty. */
export interface ApiAnswer extends Answer {
  json: Record<string, unknown>;
}

/** A machine with a key of its own. */
export interface Machine {
  key: PrivateKey;
  /** Armour. */
  publicKey: string;
  fingerprint: string;
}

/** Makes a machine of the kind that `ktadmin client` is. */
export async function createMachine(
  options: { rsaBits: number } | { curve: 'curve25519Legacy' | 'nistP256' | 'ed25519Legacy' } = {
    curve: 'curve25519Legacy',
  },
): Promise<Machine> {
  const kind =
    'rsaBits' in options ? ({ type: 'rsa', ...options } as const) : ({ type: 'ecc', ...options } as const);
  const { privateKey } = await generateKey({ ...kind, userIDs: [{ name: 'machine' }], format: 'object' });
  return {
    key: privateKey,
    publicKey: privateKey.toPublic().armor(),
    fingerprint: privateKey.getFingerprint().toUpperCase(),
  };
}

/** Signs a text as a challenge is signed. */
export async function signText(key: PrivateKey, text: string): Promise<string> {
  const message = await createMessage({ binary: Buffer.from(text) });
  return String(await sign({ message, signingKeys: key, detached: true }));
}

/** Speaks JSON with a server. */
export async function api(
  { port }: { port: number },
  method: string,
  path: string,
  { body, session, headers }: { body?: unknown; session?: string; headers?: Record<string, string> } = {},
): Promise<ApiAnswer> {
  const answer = await ask(port, path, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(session === undefined ? {} : { authorization: `Bearer ${session}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const isJson = String(answer.headers['content-type']).includes('json');
  return { ...answer, json: isJson ? (JSON.parse(answer.body) as Record<string, unknown>) : {} };
}

/** A fresh challenge and a machine's signature over it. */
export async function signedChallenge(serving: { port: number }, { key }: Machine) {
  const answer = await api(serving, 'POST', '/v1/challenges');
  const challenge = String(answer.json.challenge);
  return { challenge, signature: await signText(key, challenge) };
}

/** Opens a session, or tells why not. */
export async function openSession(serving: { port: number }, machine: Machine): Promise<ApiAnswer> {
  const signed = await signedChallenge(serving, machine);
  return api(serving, 'POST', '/v1/sessions', { body: { fingerprint: machine.fingerprint, ...signed } });
}

/** Puts a machine into the database as a client of an organization that exists. */
export async function enroll(server: TestServer, machine: Machine, organization: string, state = 'active') {
  await server.query(
    `insert into client (organization_id, fingerprint, public_key, state, activated_at)
     select id, '${machine.fingerprint}', '${machine.publicKey}', '${state}', case '${state}' when 'pending' then null else now() end
     from organization where name = '${organization}'`,
  );
}

/** Registers a machine; `more` is what it says beside its key: the organization, a code. */
export async function register(
  serving: { port: number },
  machine: Machine,
  more: Record<string, unknown>,
): Promise<ApiAnswer> {
  const { publicKey } = machine;
  const body = { publicKey, ...(await signedChallenge(serving, machine)), ...more };
  return api(serving, 'POST', '/v1/clients', { body });
}
