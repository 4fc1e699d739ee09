import { confdirFiles } from '../core/config.ts';
import type { Settings } from '../core/configuration.ts';
import { bareFingerprint } from '../gpg/server-key.ts';
import { signAndEncrypt, signDetached } from '../gpg/sign.ts';
import { encryptedMessage, signedMessage, textPart } from '../mail/message.ts';
import type { Accepted } from '../mail/outgoing.ts';
import { send } from '../mail/transport.ts';
import { type Sender, testWording, type Wording } from './wording.ts';

/** Who gets a mail, and the key that it is encrypted to, where that is known. */
export interface Addressee {
  email: string;
  publicKey: string | null;
}

/** Who the mails of a server are from. */
export function senderOf({ configuration }: Settings): Sender {
  return { host: configuration.EXTERNAL_ADDRESS, fingerprint: configuration.LOCAL_FINGERPRINT };
}

/**
 * Sends a mail, signed by the server's key, and encrypted where the addressee has one. Where that key cannot be used, the
 * mail is not sent in clear instead.
 */
export async function post(
  settings: Settings,
  { email, publicKey }: Addressee,
  { subject, text }: Wording,
  stop?: AbortSignal,
): Promise<Accepted> {
  const { configuration, confdir } = settings;
  const { EXTERNAL_ADDRESS: host, LOCAL_FINGERPRINT, MAIL_FROM: from = `keytrustee@${host}` } = configuration;
  const files = confdirFiles(confdir);
  const fingerprint = bareFingerprint(LOCAL_FINGERPRINT);
  const head = { from, to: email, subject };
  const part = await textPart(text);
  const message =
    publicKey === null
      ? await signedMessage(head, host, part, await signDetached(files, fingerprint, part))
      : await encryptedMessage(head, host, await signAndEncrypt(files, fingerprint, publicKey, part));
  return send(configuration, { from, to: email, message }, stop);
}

/** Sends a mail at once that says that mail works. */
export async function postTest(settings: Settings, email: string): Promise<Accepted> {
  return post(settings, { email, publicKey: null }, testWording(senderOf(settings)));
}
