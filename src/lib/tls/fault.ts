/** What can be wrong with a certificate, its key and the files they are in: words for programs, which never change. */
export type FaultCode =
  | 'missing'
  | 'directory'
  | 'empty'
  | 'too-large'
  | 'unreadable'
  | 'not-recognized'
  | 'no-certificate'
  | 'no-key'
  | 'several-keys'
  | 'not-converted'
  | 'modes'
  | 'owner'
  | 'service-account'
  | 'password-needed'
  | 'password-wrong'
  | 'password-script'
  | 'key-mismatch'
  | 'chain-order'
  | 'chain-incomplete'
  | 'host'
  | 'expired'
  | 'not-yet-valid'
  | 'expires-soon'
  | 'weak-key'
  | 'weak-signature'
  | 'key-usage'
  | 'authority'
  | 'protocol'
  | 'refused';

/** One reason why a certificate would fail, and what to do about it. Never holds a secret. */
export interface Fault {
  code: FaultCode;
  message: string;
  hint: string;
}

/** Everything that is wrong, all at once: with a fault clients could not connect, with a warning they can. */
export interface Verdict {
  faults: Fault[];
  warnings: Fault[];
}

const STOPPING: FaultCode[] = [
  'key-mismatch',
  'chain-order',
  'protocol',
  'refused',
  'expired',
  'not-yet-valid',
];

/** Whether a server cannot start with this, or no client that checks can connect; with other faults some clients may. */
export function stopsServer({ code }: Fault): boolean {
  return STOPPING.includes(code);
}
