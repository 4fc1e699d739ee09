import type { KeyObject, X509Certificate } from 'node:crypto';
import { explain } from '../core/errors.ts';
import { judgeAgreement } from './agreement.ts';
import { cipherString } from './ciphers.ts';
import { contextOptions, type Protocol, REPLACE, refusalOf } from './context.ts';
import { judgeDates } from './dates.ts';
import type { Fault, Verdict } from './fault.ts';
import { judgeExchange, judgeHost, judgeRole, judgeUsage } from './fitness.ts';
import { belongs } from './path.ts';
import { judgeKeys, judgeKind, judgeSignatures } from './strength.ts';
import { judgeChain, ownOf } from './trust.ts';
import { GIVEN_WORDS, type Words } from './words.ts';

/** What a certificate has to serve for. */
export interface Terms {
  /** The name by which clients reach the server. */
  host: string;
  protocol: Protocol;
  now?: Date;
  /** How the certificate and the key are called; by default as somebody calls what is handed over. */
  words?: Words;
}

/** A certificate, those of its authorities behind it, and its key, as far as there are any. */
export interface Parts {
  chain: X509Certificate[];
  /** Those of the chain that came out of the file of the certificate; by default all. */
  file?: X509Certificate[];
  key: KeyObject | undefined;
}

/** What the certificates alone tell. */
function judgeCertificates(
  chain: X509Certificate[],
  { host, now = new Date() }: Terms,
  words: Words,
): Verdict {
  const [own] = chain;
  if (own === undefined) return { faults: [], warnings: [] };
  const dates = judgeDates(chain, words, now);
  const faults = [...dates.faults, ...judgeHost(own, host, words), ...judgeUsage(own, words)];
  const weak = [...judgeKeys(chain, words), ...judgeSignatures(chain, words)];
  const warnings = [...dates.warnings, ...judgeRole(own, words), ...judgeKind(chain, words)];
  return { faults: [...faults, ...weak], warnings };
}

function judgeList({ SSL_CIPHERS, SSL_MIN_VERSION }: Protocol): Fault[] {
  try {
    cipherString(SSL_CIPHERS, SSL_MIN_VERSION);
    return [];
  } catch (error) {
    const { message, hint = '' } = explain(error);
    return [{ code: 'protocol', message, hint }];
  }
}

/** What certificate and key are together, and what versions and ciphers leave of them. */
async function judgeTogether({ chain, key }: Parts, { protocol }: Terms, words: Words): Promise<Verdict> {
  const faults = judgeList(protocol);
  const [own] = chain;
  if (own === undefined || key === undefined) return { faults, warnings: [] };
  if (!belongs(key, own)) {
    const message = `${words.key} does not belong to ${words.certificate}`;
    faults.push({
      code: 'key-mismatch',
      message,
      hint: 'put the key and the certificate of one request there',
    });
  }
  if (faults.length > 0) return { faults, warnings: [] };
  const options = contextOptions({ chain, key }, protocol);
  const refusal = refusalOf(options);
  if (refusal !== undefined) {
    const message = `${words.certificate} cannot be used: ${refusal}`;
    return { faults: [{ code: 'refused', message, hint: REPLACE }], warnings: [] };
  }
  // A client that looks at the uses of a key would refuse, and the ciphers would be blamed.
  if (judgeUsage(own, words).length > 0) return { faults, warnings: [] };
  const agreed = await judgeAgreement(options, protocol, key.asymmetricKeyType ?? '', words);
  const exchange = judgeExchange(own, agreed.ciphers, words);
  return { faults: agreed.faults, warnings: [...agreed.warnings, ...exchange] };
}

/**
 * Every reason why a server with these would fail its clients, or soon will. `cert check`, `cert rotate`, `config check` and
 * the server itself all ask here.
 */
export async function judge({ chain, file = chain, key }: Parts, terms: Terms): Promise<Verdict> {
  const { words = GIVEN_WORDS } = terms;
  const own = ownOf(file, key);
  // In the right order, whatever the file's: a wrong order is told once, and does not hide the rest.
  const sorted = own === undefined ? [] : [own, ...chain.filter((one) => one !== own)];
  const verdicts = [
    await judgeTogether({ chain: sorted, key }, terms, words),
    ...(own === undefined ? [] : [judgeChain(chain, own, words)]),
    judgeCertificates(sorted, terms, words),
  ];
  return {
    faults: verdicts.flatMap(({ faults }) => faults),
    warnings: verdicts.flatMap(({ warnings }) => warnings),
  };
}
