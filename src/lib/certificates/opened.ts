import { KeyTrusteeError } from '../core/errors.ts';
import { Interrupted } from '../core/interrupt.ts';
import type { Fault } from '../tls/fault.ts';
import { openJks } from '../tls/jks.ts';
import { type Material, type PasswordSource, recognize } from '../tls/material.ts';
import type { LockedFile, Opening } from '../tls/opening.ts';
import { openPkcs12 } from '../tls/pkcs12.ts';
import type { GivenFile } from './given.ts';

/** A file that was read: what it holds, and whether a password was needed for it. */
export interface OpenedFile extends Material {
  path: string;
  wasLocked: boolean;
}

/** Opens a file with a password. */
type Open = (password: string) => Promise<Opening<unknown>>;

/** What goes through the opening of all files: the faults so far, and the password, which is asked for once. */
export interface Desk {
  faults: Fault[];
  /** The password of a file; undefined where there is none, which is a fault then. `open` is what it is for. */
  passwordFor(path: string, open: Open): Promise<string | undefined>;
}

/** Makes the desk at which files are opened. */
export function openDesk(source: PasswordSource | undefined): Desk {
  const faults: Fault[] = [];
  let asked: Promise<string | undefined> | undefined;
  const ask = async (from: PasswordSource, path: string, open: Open) => {
    const opens = async (password: string) => {
      const opening = await open(password);
      return 'opened' in opening || opening.fault.code !== 'password-wrong';
    };
    try {
      return await from(path, opens);
    } catch (error) {
      if (error instanceof Interrupted || !(error instanceof KeyTrusteeError)) throw error;
      faults.push({ code: 'password-script', message: error.message, hint: error.hint ?? '' });
      return undefined;
    }
  };
  const passwordFor = async (path: string, open: Open) => {
    if (source !== undefined) {
      asked ??= ask(source, path, open);
      return asked;
    }
    const hint = 'give it with --password-script COMMAND or --password-file FILE';
    faults.push({ code: 'password-needed', message: `${path} has a password`, hint });
    return undefined;
  };
  return { faults, passwordFor };
}

/** What an opening gave; its fault goes to the others. */
export function take<Content>(desk: Desk, opening: Opening<Content>): Content | undefined {
  if ('opened' in opening) return opening.opened;
  desk.faults.push(opening.fault);
  return undefined;
}

async function openStore(file: LockedFile, material: Material, desk: Desk): Promise<OpenedFile | undefined> {
  const open = material.form === 'JKS' ? openJks : openPkcs12;
  // A PKCS#12 can be without a password; a JKS that holds a key cannot.
  const plain = material.form === 'JKS' ? undefined : await openPkcs12(file, '');
  const isLocked = plain === undefined || ('fault' in plain && plain.fault.code === 'password-wrong');
  const password = isLocked ? await desk.passwordFor(file.path, (typed) => open(file, typed)) : '';
  if (password === undefined) return undefined;
  const text = take(desk, isLocked ? await open(file, password) : (plain as Opening<string>));
  const found = text === undefined ? undefined : recognize(Buffer.from(text));
  if (text === undefined) return undefined;
  return { ...material, ...found, form: material.form, path: file.path, wasLocked: isLocked };
}

/** Reads what a file holds, opened where it is a store; whatever is wrong with it goes to the other faults. */
export async function openFile(given: GivenFile, desk: Desk): Promise<OpenedFile | undefined> {
  const { path, data, fault } = given;
  const bytes = Buffer.from(data ?? '', 'base64');
  const material = recognize(bytes);
  if (fault !== undefined || material === undefined) {
    const message = `${path} holds neither a certificate nor a key that is recognized`;
    const hint = 'PEM, DER, PKCS#7, PKCS#12 and JKS are; copy it here again if it is one of them';
    desk.faults.push(fault ?? { code: 'not-recognized', message, hint });
    return undefined;
  }
  for (const what of material.damaged)
    desk.faults.push({
      code: 'not-recognized',
      message: `${path}: ${what} is damaged`,
      hint: 'copy it again',
    });
  return material.isStore
    ? await openStore({ path, bytes }, material, desk)
    : { ...material, path, wasLocked: false };
}
