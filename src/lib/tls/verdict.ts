import type { KeyObject, X509Certificate } from 'node:crypto';
import { explain } from '../core/errors.ts';
import type { Protocol } from './context.ts';
import { secureOptions } from './context.ts';
import type { Fault, Verdict } from './fault.ts';
import { invalidNow, judgePair } from './judge.ts';

/** What a certificate has to serve for. */
export interface Terms {
  /** The name by which clients reach the server. */
  host: string;
  protocol: Protocol;
  now?: Date;
}

/** A certificate, those of its authorities behind it, and its key, as far as there are any. */
export interface Parts {
  chain: X509Certificate[];
  key: KeyObject | undefined;
}

/** Every reason why a server with these would fail its clients, or soon will. */
export function judge({ chain, key }: Parts, { host, protocol, now }: Terms): Verdict {
  const faults: Fault[] = invalidNow({ chain }, now).map((message) => ({
    code: 'expired',
    message,
    hint: 'ask the authority for a new one',
  }));
  if (key !== undefined) {
    try {
      secureOptions({ chain, key }, protocol);
    } catch (error) {
      const { message, hint = '' } = explain(error);
      faults.push({ code: 'key-mismatch', message, hint });
    }
  }
  const warnings = judgePair({ chain }, host).map((message): Fault => ({ code: 'host', message, hint: '' }));
  return { faults, warnings };
}
