/** A public key as `gpg --with-colons` lists it (format: doc/DETAILS of GnuPG). */
export interface ListedKey {
  fingerprint: string;
  /** `r` revoked, `e` expired, `d` disabled, `i` invalid; other letters speak of trust. */
  validity: string;
  algorithm: number;
  bits: number;
  /** Capital letters: what the key as a whole can be used for now. */
  capabilities: string;
  expires: Date | undefined;
  userIds: string[];
  subkeys: {
    validity: string;
    algorithm: number;
    bits: number;
    capabilities: string;
    expires: Date | undefined;
  }[];
}

/** Control characters and those that turn the direction of writing: a stranger's user id must not steer a terminal. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const shown = (character: string) => `\\x{${character.codePointAt(0)?.toString(16)}}`;

/** GnuPG writes bytes that have a meaning in its listing as `\x3a`; what a terminal would obey stays visible. */
function unescapeField(text: string): string {
  return text
    .replace(/\\x([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(UNPRINTABLE, shown);
}

const toDate = (text = '') => (text === '' ? undefined : new Date(Number(text) * 1000));

function parsePrimary(fields: string[]): ListedKey {
  const [, validity = '', bits = '', algorithm = '', , , expires = '', , , , , capabilities = ''] = fields;
  return {
    fingerprint: '',
    validity,
    algorithm: Number(algorithm),
    bits: Number(bits),
    capabilities,
    expires: toDate(expires),
    userIds: [],
    subkeys: [],
  };
}

/** Parses a listing of keys; `sec` records count like `pub` ones. */
export function parseListing(text: string): ListedKey[] {
  const keys: ListedKey[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(':');
    const [type, validity = '', bits = '', algorithm = ''] = fields;
    const key = keys.at(-1);
    if (type === 'pub' || type === 'sec') keys.push(parsePrimary(fields));
    else if (key === undefined) continue;
    else if (type === 'fpr' && key.fingerprint === '') key.fingerprint = fields[9] ?? '';
    else if (type === 'uid') key.userIds.push(unescapeField(fields[9] ?? ''));
    else if (type === 'sub' || type === 'ssb') {
      const capabilities = fields[11] ?? '';
      const expires = toDate(fields[6]);
      key.subkeys.push({ validity, algorithm: Number(algorithm), bits: Number(bits), capabilities, expires });
    }
  }
  return keys;
}

/** Numbers of public-key algorithms (RFC 9580, section 9.1) that are too weak to protect a backup. */
const RSA = new Set([1, 2, 3]);
const ELGAMAL_OR_DSA = new Set([16, 17, 20]);

/** Why nothing may be encrypted to a key, or undefined when it may. */
export function unusableReason(key: ListedKey, now = new Date()): string | undefined {
  if (key.validity === 'r') return 'is revoked';
  if (key.validity === 'e' || (key.expires !== undefined && key.expires <= now)) return 'has expired';
  if (key.validity === 'd' || key.capabilities.includes('D')) return 'is disabled';
  if (key.validity === 'i') return 'is not valid';
  if (!key.capabilities.includes('E')) return 'cannot encrypt';
  const parts = [
    key,
    ...key.subkeys.filter((sub) => /e/.test(sub.capabilities) && !/[re]/.test(sub.validity)),
  ];
  if (parts.some((part) => ELGAMAL_OR_DSA.has(part.algorithm)))
    return 'is a DSA or ElGamal key, which is too weak';
  if (parts.some((part) => RSA.has(part.algorithm) && part.bits < 2048))
    return 'is an RSA key below 2048 bits, which is too weak';
  return undefined;
}

/** Until when a key can be encrypted to: its own end, or that of the last of its parts that can; undefined: for ever. */
export function usableUntil({ expires, capabilities, subkeys }: ListedKey): Date | undefined {
  const ends = subkeys
    .filter((sub) => sub.capabilities.includes('e') && sub.validity !== 'r')
    .map((sub) => sub.expires?.getTime() ?? Number.POSITIVE_INFINITY);
  const last = capabilities.includes('e') || ends.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...ends);
  const end = Math.min(expires?.getTime() ?? Number.POSITIVE_INFINITY, last);
  return end === Number.POSITIVE_INFINITY ? undefined : new Date(end);
}

/** A key for people: fingerprint and first user id. */
export function describeKey(key: ListedKey): string {
  return `${key.fingerprint} ${key.userIds[0] ?? '(no user id)'}`;
}
