import type { KeyFault } from '../../gpg/key-fault.ts';

/** Something that a person is told: a heading and what to do about it. */
export interface Words {
  title: string;
  texts: string[];
}

/** Words for a key that is not taken, for somebody who may have seen few keys. */
export const KEY_PROBLEMS: Record<KeyFault, Words> = {
  empty: {
    title: 'There is no public key in it',
    texts: [
      'Paste the whole block, with the lines that say BEGIN PGP PUBLIC KEY BLOCK and END PGP PUBLIC KEY BLOCK, or choose a file that has it.',
    ],
  },
  large: {
    title: 'That is too large',
    texts: [
      'At most 64 KiB are taken. A key that many others have signed, or that has a photo, becomes small with: gpg --armor --export-options export-minimal --export, and your address.',
    ],
  },
  private: {
    title: 'That is a private key. Do not give it to anybody!',
    texts: [
      'Whoever has your private key can read your mail and sign in your name. It came here over an encrypted connection and was thrown away: it was not stored and not written into a log. But your browser or whoever looks at your screen may have seen it; if in doubt, make a new key.',
      'What is asked for is the public key: gpg --armor --export, and your address.',
    ],
  },
  several: {
    title: 'There is more than one key in it',
    texts: [
      'Give exactly the key that you want to use. To export one alone: gpg --armor --export, and its fingerprint.',
    ],
  },
  cut: {
    title: 'The end of the key is missing',
    texts: [
      'Copy it again, down to the line that says END PGP PUBLIC KEY BLOCK, or choose the file instead.',
    ],
  },
  unreadable: {
    title: 'That key cannot be read',
    texts: [
      'Something in it was changed on the way. Export it again, and choose the file rather than pasting it.',
    ],
  },
  version: {
    title: 'That kind of key is not taken',
    texts: ['Keys of version 4 are, which every OpenPGP program makes. Export such a key, or make one.'],
  },
  crowded: {
    title: 'That key has too many parts',
    texts: ['Keys with up to 64 names and 32 subkeys are taken, and RSA up to 8192 bits.'],
  },
  weak: {
    title: 'That key is too weak',
    texts: [
      'DSA and ElGamal keys, and RSA keys below 2048 bits, do not protect mail any more. Make a new key: gpg --full-generate-key',
    ],
  },
  revoked: {
    title: 'That key is revoked',
    texts: ['Its owner has said that it is not to be used any more. Give the key that took its place.'],
  },
  expired: {
    title: 'That key has expired',
    texts: [
      'If you still use it, give it a later end (gpg --quick-set-expire, its fingerprint, and 2y for two years), export it again, and come back.',
    ],
  },
  sha1: {
    title: 'That key is not safe as it is',
    texts: [
      'It vouches for its own names by SHA-1, which can be forged today. Set its end anew with a current GnuPG (gpg --quick-set-expire, its fingerprint, and 2y for two years), which signs it again; then export it and come back.',
    ],
  },
  useless: {
    title: 'Nothing can be encrypted to that key',
    texts: [
      'It has no part for encryption, or that part has expired or is revoked. Add one with gpg --quick-add-key, its fingerprint, and cv25519 encr; then export it again and come back.',
    ],
  },
};

const ASK = 'If you need a new link, ask whoever looks after the server.';

/** Words for links that lead nowhere. What is unknown and what never was a link are told alike. */
export const LINK_PROBLEMS = {
  unknown: {
    title: 'This link does not work',
    texts: [
      'It may have been cut in two by a mail program: copy it whole from the mail into the address bar of your browser.',
      ASK,
    ],
  },
  expired: { title: 'This link has expired', texts: ['Links work for 12 hours.', ASK] },
  stopped: {
    title: 'The organization is stopped',
    texts: [
      'Nothing was changed: while the organization is stopped, none of its machines can be approved or denied.',
      'If that should not be so, ask whoever looks after the server.',
    ],
  },
};

const ELSEWHERE =
  'Your link is good: try it again later, or ask whoever looks after the server for the address of the active one.';

/** Words for what a pair of servers cannot take now, by the code of the refusal. */
export const PAIR_PROBLEMS: Record<string, Words> = {
  read_only: {
    title: 'This is the passive server',
    texts: ['It keeps a copy and changes nothing. Nothing was changed.', ELSEWHERE],
  },
  fenced: {
    title: 'This server is out of use',
    texts: ['The other server of its pair went on without it. Nothing was changed.', ELSEWHERE],
  },
  passive_away: {
    title: 'This does not work now',
    texts: [
      'Changes need both servers of the pair, and one of them is away. Nothing was changed. Please try it again later; the link stays as it is.',
    ],
  },
  unconfirmed: {
    title: 'It is not known whether that worked',
    texts: [
      'One of the two servers went away meanwhile. Please open the link from the mail again: it shows what was kept.',
    ],
  },
};

/** Words for what goes wrong before a page can be made, by the status of the answer. */
export function statusProblem(status: number): Words {
  if (status === 413) return KEY_PROBLEMS.large;
  if (status === 429)
    return { title: 'Too many requests', texts: ['Please wait a minute, and try it again.'] };
  if (status >= 500)
    return {
      title: 'This does not work now',
      texts: ['Nothing was changed. Please try it again later; the link stays as it is.'],
    };
  return { title: 'That could not be understood', texts: ['Please open the link from the mail again.'] };
}
