/** No key is longer; bytes. */
export const KEY_LIMIT = 64 * 1024;

/** What may be wrong with a key that somebody sent, in words that stand behind "the key is not taken:". */
export const KEY_FAULTS = {
  empty: 'there is no OpenPGP public key in it',
  large: `it is larger than ${KEY_LIMIT / 1024} KiB`,
  private: 'it is a private key, which must never leave its owner',
  several: 'there is more than one key in it',
  cut: 'its end is missing',
  unreadable: 'it is damaged',
  version: 'it is not an OpenPGP key of version 4',
  crowded: 'it has too many parts, or RSA above 8192 bits',
  weak: 'it is too weak: DSA, ElGamal, or RSA below 2048 bits',
  revoked: 'it is revoked',
  expired: 'it has expired',
  sha1: 'it vouches for itself by SHA-1, which can be forged',
  useless: 'it cannot encrypt, or its part that can has expired or is revoked',
};

/** Why a key is not taken. */
export type KeyFault = keyof typeof KEY_FAULTS;
