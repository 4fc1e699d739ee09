import type { KeyObject, X509Certificate } from 'node:crypto';
import { shellWord } from '../core/quote.ts';
import { openFoundKey, readFoundKey } from '../tls/opened-key.ts';
import { belongs } from '../tls/path.ts';
import { type Desk, type OpenedFile, take } from './opened.ts';

/** A private key that is open, and whether it had a password where it lay. */
export interface OpenKey {
  key: KeyObject;
  wasLocked: boolean;
}

/** The one key of a file, opened; more than one is a fault, because nobody said which is meant. */
export async function keyOf(file: OpenedFile, desk: Desk): Promise<OpenKey | undefined> {
  const { path, keys, form } = file;
  const [found, ...others] = keys;
  if (found === undefined) return undefined;
  if (others.length > 0) {
    const list = `keytool -list -keystore ${shellWord(path)} shows their names, and keytool -importkeystore -srcalias NAME copies one`;
    const hint = form === 'JKS' ? list : 'leave in it the one that belongs to the certificate';
    desk.faults.push({ code: 'several-keys', message: `${path} holds ${keys.length} private keys`, hint });
    return undefined;
  }
  if (!found.isLocked) {
    const key = take(desk, readFoundKey(path, found));
    return key === undefined ? undefined : { key, wasLocked: file.wasLocked };
  }
  const password = await desk.passwordFor(path, (typed) => openFoundKey(path, found, typed));
  const key = password === undefined ? undefined : take(desk, await openFoundKey(path, found, password));
  return key === undefined ? undefined : { key, wasLocked: true };
}

/** That of the keys which are there already that belongs to a certificate. */
export function spareKey(
  keys: KeyObject[] | undefined,
  own: X509Certificate | undefined,
): OpenKey | undefined {
  const key = keys?.find((spare) => belongs(spare, own));
  return key === undefined ? undefined : { key, wasLocked: false };
}
