import { hostName } from '../core/database-url.ts';
import { errorCode, failure, KeyTrusteeError, type StatusName } from '../core/errors.ts';
import type { Found, Silent } from './host.ts';

/** What keeps a connection from being made: SQLSTATE or the system's name, in words, with the status it means. */
const REASONS: Record<string, [StatusName, string]> = {
  '28P01': ['permission', 'it refuses the password'],
  '28000': ['permission', 'it refuses the role, or a connection in this way'],
  '42501': ['permission', 'the role may not connect'],
  '3D000': ['state', 'it has no such database'],
  '53300': ['unreachable', 'it has no free connection'],
  '57P03': ['unreachable', 'it is starting or stopping'],
  ENOTFOUND: ['unreachable', 'its name is not known'],
  ECONNREFUSED: ['unreachable', 'nobody listens there'],
};

const CERTIFICATE =
  /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_(?:CA|PURPOSE)|ERR_TLS_CERT)/;

/** Why a host did not answer, in words. The library's own are shown only where they are known to hold no value. */
function reasonOf(error: unknown): [StatusName, string] {
  if (error instanceof KeyTrusteeError) return [error.code, error.message];
  const code = errorCode(error);
  const message = error instanceof Error ? error.message : '';
  if (code !== undefined && CERTIFICATE.test(code))
    return ['untrusted', `its certificate is not trusted (${code})`];
  if (/does not support SSL/.test(message)) return ['untrusted', 'it does not speak TLS'];
  if (/SCRAM|password must be a (?:non-empty )?string/i.test(message))
    return ['permission', 'it wants a password that is not given, or another one'];
  if (/timeout/i.test(message)) return ['unreachable', 'it does not answer in time'];
  return REASONS[code ?? ''] ?? ['unreachable', code ?? 'it does not answer'];
}

/** What a host is, for people. */
export function whatItIs(answer: Found | Silent): string {
  if ('error' in answer) return reasonOf(answer.error)[1];
  return answer.isPassive ? 'is read-only' : 'takes writes';
}

const describeHost = (answer: Found | Silent) => `${hostName(answer.host)}: ${whatItIs(answer)}`;

const HINTS: Partial<Record<StatusName, string>> = {
  untrusted: 'correct sslmode and sslrootcert in DATABASE_URLS, or the certificates of the hosts',
  permission: 'correct DATABASE_PASSWORD_FILE or DATABASE_URLS, or pg_hba.conf of the hosts',
  state: 'its administrator makes the database first: docs/external-database.md',
};

/** The error for a cluster none of whose hosts takes writes, or answers at all. */
export function whyNone(all: (Found | Silent)[]): KeyTrusteeError {
  const told = all.map(describeHost).join('; ');
  if (all.some((answer) => 'config' in answer)) {
    const hint = 'while a failover goes on that ends by itself; else: ktadmin doctor';
    return failure('unreachable', `no host of DATABASE_URLS takes writes now (${told})`, hint);
  }
  const codes = all.flatMap((answer) => ('error' in answer ? [reasonOf(answer.error)[0]] : []));
  const code = (['untrusted', 'permission', 'state'] as const).find((each) => codes.includes(each));
  const hint = code === undefined ? 'see to the database cluster; ktadmin doctor' : HINTS[code];
  return failure(code ?? 'unreachable', `no host of DATABASE_URLS answers (${told})`, hint);
}

/** Refuses hosts that do not belong together: what is written to one of them would be missing from the other. */
export function refuseStrangers(found: Found[]): void {
  const systems = new Set(found.map(({ system }) => system).filter((system) => system !== null));
  if (systems.size <= 1) return;
  const hosts = found.map(({ host }) => hostName(host)).join(', ');
  throw failure('conflict', `DATABASE_URLS names hosts of different clusters (${hosts})`, 'name one cluster');
}
