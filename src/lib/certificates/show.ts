import type { X509Certificate } from 'node:crypto';
import type { ServerState } from '../core/control.ts';
import { explain } from '../core/errors.ts';
import { type Protocol, VERSIONS } from '../tls/context.ts';
import { type Description, describe } from '../tls/describe.ts';
import { offered, type Spoken } from '../tls/offered.ts';
import type { PairFiles } from '../tls/pair.ts';
import { endpointOf, type Presentation, probe } from '../tls/probe.ts';
import { harmless, subjectOf } from '../tls/words.ts';
import { type Configured, readConfigured } from './configured.ts';

/** What a client is presented at one address, found out by being one. */
export interface Presented {
  address: string;
  chain: Description[];
  /** What the client and the server agreed upon. */
  protocol: string;
  cipher: string;
  /** Every version that is spoken, and its ciphers, the best liked first. */
  spoken: Spoken[];
}

/** What is configured beside what is presented. */
export interface Shown {
  configured: Configured;
  /** One for each address that answers; none where no server runs. */
  presented: Presented[];
  /** Whether all that is presented is what is configured; null where no server runs. */
  agrees: boolean | null;
  warnings: string[];
}

/** Where to look. */
export interface ShowRequest {
  settings: PairFiles &
    Protocol & { EXTERNAL_ADDRESS: string; PORT: number; LISTEN_ADDRESS?: string | undefined };
  /** Where what waits and what was replaced is kept. */
  sslDirectory: string;
  /** Asks the server that runs for its state; undefined where none does. */
  ask: () => Promise<ServerState | undefined>;
}

/** With so many whole days left, or fewer, a certificate is warned of. */
const SOON = 30;
/** How long whatever else there is at the server's port may take; milliseconds. */
const PATIENCE = 1000;
const ORDER: string[] = Object.values(VERSIONS);

function isSame(one: X509Certificate[], other: X509Certificate[]): boolean {
  const rest = one.map(({ raw }, place) => other[place]?.raw.equals(raw) === true);
  return one.length === other.length && rest.every(Boolean);
}

/** So many connections that every process of the server gets some. */
async function probeAll(address: string, host: string, { workers }: ServerState): Promise<Presentation[]> {
  const seen: Presentation[] = [];
  for (let count = 0; count < Math.max(2, 2 * workers); count += 1)
    seen.push(await probe(endpointOf(address, host)));
  return seen;
}

/** What is presented at an address, and how that differs from what is configured. */
async function look(address: string, state: ServerState, chain: X509Certificate[], request: ShowRequest) {
  const { EXTERNAL_ADDRESS, SSL_MIN_VERSION } = request.settings;
  const seen = await probeAll(address, EXTERNAL_ADDRESS, state);
  const spoken = await offered(endpointOf(address, EXTERNAL_ADDRESS));
  const others = seen.filter((one) => !isSame(one.chain, chain));
  const { chain: first, protocol, cipher } = (others[0] ?? seen[0]) as Presentation;
  const least = ORDER.indexOf(VERSIONS[SSL_MIN_VERSION]);
  const tooOld = spoken.filter((one) => ORDER.indexOf(one.protocol) < least).map((one) => one.protocol);
  const who =
    others.length < seen.length ? `some processes behind ${address} present` : `${address} presents`;
  const differences = [
    ...(others.length > 0 ? [`${who} another chain than keytrustee.conf names`] : []),
    ...(tooOld.length > 0
      ? [`${address} speaks ${tooOld.join(', ')}, and SSL_MIN_VERSION is ${SSL_MIN_VERSION}`]
      : []),
  ];
  const described = first.map((certificate) => describe(certificate));
  return { presented: { address, chain: described, protocol, cipher, spoken }, differences };
}

/** What stands at the server's port although no server runs with this configuration. */
async function lookElsewhere({
  PORT,
  LISTEN_ADDRESS = '127.0.0.1',
}: ShowRequest['settings']): Promise<string[]> {
  try {
    const { chain } = await probe({ host: LISTEN_ADDRESS, port: PORT }, PATIENCE);
    const name = chain[0] === undefined ? 'no certificate' : subjectOf(chain[0]);
    return [
      `no server runs with this configuration; what listens on port ${PORT} is another, and presents ${name}`,
    ];
  } catch {
    return [];
  }
}

function expiryWarnings({ chain }: Configured): string[] {
  const now = Date.now();
  return chain
    .filter(({ daysLeft, validFrom }) => daysLeft <= SOON || Date.parse(validFrom) > now)
    .map(({ subject, validity, validTo }) => `${harmless(subject)}: ${validity} (until ${validTo})`);
}

async function lookAtServer(
  chain: X509Certificate[],
  request: ShowRequest,
): Promise<Omit<Shown, 'configured'>> {
  const state = await request.ask();
  if (state === undefined)
    return { presented: [], agrees: null, warnings: await lookElsewhere(request.settings) };
  const presented: Presented[] = [];
  const warnings: string[] = [];
  for (const address of state.addresses) {
    try {
      const found = await look(address, state, chain, request);
      presented.push(found.presented);
      warnings.push(...found.differences);
    } catch (error) {
      warnings.push(`the server that runs (pid ${state.pid}) cannot be reached: ${explain(error).message}`);
    }
  }
  const agrees = warnings.length === 0;
  if (presented.length > 0 && !agrees)
    warnings.push(
      `kill -HUP ${state.pid} has the server read keytrustee.conf and its files again; ktadmin cert check says before whether they are good`,
    );
  return { presented, agrees, warnings };
}

/** What is configured, and what a client is really presented. It takes nothing but what everybody may see. */
export async function showCertificate(request: ShowRequest): Promise<Shown> {
  const { chain, configured } = await readConfigured(request.settings, request.sslDirectory);
  const { presented, agrees, warnings } = await lookAtServer(chain, request).catch((error: unknown) => ({
    ...{ presented: [], agrees: null, warnings: [explain(error).message] },
  }));
  return {
    ...{ configured, presented, agrees },
    warnings: [...configured.faults, ...expiryWarnings(configured), ...warnings],
  };
}
