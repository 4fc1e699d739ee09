import type { CertificatePlace, KeyAccount, KeyWish } from '../certificates/choose-key.ts';
import { confdirFiles } from '../core/config.ts';
import type { Settings } from '../core/configuration.ts';
import { failure } from '../core/errors.ts';
import { alternativeName } from '../tls/names.ts';
import { KEY_KINDS, type KeyKind } from '../tls/new-key.ts';
import { flag, option } from './command.ts';
import type { Terminal } from './terminal.ts';
import { oneOf } from './values.ts';

/** Of what key and for which names a certificate is asked or made. */
export const wanting = {
  newKey: option(
    '--new-key <kind>',
    'make a key: rsa2048, rsa4096, p256 or p384 (default: the one that waits, else rsa2048)',
    oneOf(KEY_KINDS),
  ),
  reuseKey: flag('--reuse-key', 'take the key in use'),
  san: option(
    '--san <name>',
    'a further name: host, *.domain or address; may be repeated',
    alternativeName,
  ).repeatable(),
  discardPending: flag('--discard-pending', 'remove the key that waits for its certificate first'),
};

/** Checks which key is wanted. */
export function wishOf(values: {
  newKey: KeyKind | undefined;
  reuseKey: boolean;
  discardPending: boolean;
}): KeyWish {
  if (values.newKey !== undefined && values.reuseKey)
    throw failure('usage', '--new-key and --reuse-key exclude each other');
  return { kind: values.newKey, reuse: values.reuseKey, discard: values.discardPending };
}

/** Where the certificates of a server lie. */
export function certificatePlace({ confdir, configuration }: Settings): CertificatePlace {
  return { sslDirectory: confdirFiles(confdir).ssl, inUse: configuration };
}

const ORIGIN: Record<KeyAccount['origin'], string> = {
  new: 'new key, which waits in',
  pending: 'the key that waited already, in',
  'in-use': 'the key in use,',
};

/** Says where a key is, by what it is recognized, and which one was given up for it. */
export function tellKey(
  { key: { kind, fingerprint, origin, path }, discarded }: { key: KeyAccount; discarded?: string },
  terminal: Terminal,
): void {
  if (discarded !== undefined) terminal.notice(`removed the key that waited (${discarded})`);
  terminal.notice(`${ORIGIN[origin]} ${path} (${kind})`);
  terminal.notice(`SHA-256 of its public half: ${fingerprint}`);
}
