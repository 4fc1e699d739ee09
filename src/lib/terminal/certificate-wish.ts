import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { GivenFile } from '../certificates/given.ts';
import { type Pending, pendingFiles, readPending } from '../certificates/pending.ts';
import type { Outcome } from '../certificates/site.ts';
import type { Wish } from '../certificates/wish.ts';
import { confdirFiles } from '../core/config.ts';
import type { Settings } from '../core/configuration.ts';
import { failure } from '../core/errors.ts';
import type { AlternativeName } from '../tls/names.ts';
import { newPrivateKey } from '../tls/new-key.ts';
import { readKey } from '../tls/pair.ts';
import { passwordOf } from '../tls/password.ts';
import { makeSelfSigned } from '../tls/self-signed.ts';
import { backupWarnings, namedSource, type PasswordValues, scriptOf } from './certificate-password.ts';
import { passwordPrompt } from './prompts.ts';
import type { Terminal } from './terminal.ts';

/** How long a self-signed certificate is valid; days. */
const YEAR = 365;

/** What is to be put to use, and how, as it was typed. */
interface RotateValues extends PasswordValues {
  inPlace: boolean;
  pending: boolean;
  selfSign: boolean;
  days: number | undefined;
  san: AlternativeName[];
}

/** The files of a certificate that is to be put to use, as its caller read them. */
interface GivenFiles {
  cert: GivenFile | undefined;
  key: GivenFile | undefined;
  ca: GivenFile | undefined;
}

/** Where the certificate comes from: files that were named, what waits, or this program itself. */
async function sourceOf(
  { cert, key, ca: authorities }: GivenFiles,
  values: RotateValues,
  pending: Pending,
  { configuration, confdir }: Settings,
): Promise<Pick<Wish, 'given' | 'origin'>> {
  if (cert !== undefined) return { given: { certificate: cert, key, authorities }, origin: 'files' };
  if (values.selfSign) {
    const privateKey = await newPrivateKey('rsa2048');
    const [host, names, days] = [configuration.EXTERNAL_ADDRESS, values.san, values.days ?? YEAR];
    const { certificate } = await makeSelfSigned({ host, names, days, privateKey });
    const data = Buffer.from(certificate + privateKey).toString('base64');
    const made = { path: 'the self-signed certificate', data, fault: undefined, uid: 0, mode: 0o600 };
    return { given: { certificate: made }, origin: 'self-signed' };
  }
  const { certificate, key: own } = pending;
  if (certificate !== undefined) return { given: { certificate, key: own, authorities }, origin: 'pending' };
  const place = pendingFiles(confdirFiles(confdir).ssl).directory;
  const hint =
    'ktadmin cert self-sign makes one; for the certificate that answers a request, add --cert FILE';
  throw failure('notFound', `no certificate waits in ${place}`, hint);
}

function openKey(file: GivenFile | undefined): KeyObject | undefined {
  try {
    return file?.data === undefined ? undefined : createPrivateKey(Buffer.from(file.data, 'base64'));
  } catch {
    return undefined;
  }
}

/** Refuses options that exclude each other, before anything is read. */
export function refuseContrary(values: RotateValues & { cert?: unknown; key?: unknown }): void {
  const { cert, key, pending, selfSign, inPlace } = values;
  const refuse = (what: string, hint?: string) => {
    throw failure('usage', what, hint);
  };
  if (values.passwordScript !== undefined && values.passwordFile !== undefined)
    refuse('--password-script and --password-file exclude each other');
  if (cert === undefined && !pending && !selfSign)
    refuse('no certificate is named', 'add --cert FILE, --pending or --self-sign');
  if (selfSign && (cert !== undefined || key !== undefined || pending))
    refuse('--self-sign makes certificate and key itself', 'leave out --cert, --key and --pending');
  if (pending && key !== undefined) refuse('--pending is the key that waits', 'leave out --key or --pending');
  if (inPlace && cert === undefined) refuse('--in-place is for files that are named', 'add --cert FILE');
  if (!selfSign && (values.days !== undefined || values.san.length > 0))
    refuse('--days and --san are for --self-sign');
}

/** What the values of `cert rotate` ask for. A key in use that goes on being used keeps its password. */
async function wishOf(
  given: GivenFiles,
  values: RotateValues,
  settings: Settings,
  terminal: Terminal,
): Promise<Wish> {
  const { configuration, confdir } = settings;
  const script = await scriptOf(values, settings);
  const waiting = await readPending(confdirFiles(confdir).ssl);
  const source = await sourceOf(given, values, waiting, settings);
  const pendingKey = openKey(waiting.key);
  const inUse =
    source.given.key === undefined ? await readKey(configuration).catch(() => undefined) : undefined;
  const scripted = namedSource(values, script);
  return {
    ...{ ...source, protocol: configuration, place: values.inPlace ? 'in-place' : 'copied' },
    password: scripted ?? (values.inPlace ? undefined : passwordPrompt(terminal)),
    warnings: await backupWarnings(script, confdir),
    spareKeys: [pendingKey, inUse].filter((one) => one !== undefined),
    lockFor(opened) {
      const own = inUse?.equals(opened) === true ? configuration.SSL_PRIVATE_KEY_PASSWORD_SCRIPT : undefined;
      const command = script ?? own;
      return command === undefined
        ? undefined
        : { script: command, password: scripted ?? (() => passwordOf(command)) };
    },
    consumes: (opened) =>
      source.origin === 'pending' || pendingKey?.equals(opened) === true ? 'pending' : null,
  };
}

/** What became of a password that was asked for. */
interface Typed {
  isAsked: boolean;
  /** The key is stored without it. */
  isDropped: boolean;
}

function watched(wish: Wish, typed: Typed): Wish {
  const { password, lockFor } = wish;
  const watch: Wish['password'] = (path, opens) => {
    typed.isAsked = true;
    return password?.(path, opens) ?? Promise.reject(new Error('nobody can be asked'));
  };
  return {
    ...wish,
    password: password === undefined ? undefined : watch,
    lockFor(key) {
      const lock = lockFor(key);
      typed.isDropped = typed.isAsked && lock === undefined;
      return lock;
    },
  };
}

/** Makes the wish of `cert rotate`; none where a run that was cut off, and is finished by now, was the same. */
export function wishMaker(given: GivenFiles, values: RotateValues, settings: Settings, terminal: Terminal) {
  const typed: Typed = { isAsked: false, isDropped: false };
  const make = async () => watched(await wishOf(given, values, settings, terminal), typed);
  const origin = values.selfSign ? 'self-signed' : 'pending';
  const isDone = (settled: Outcome | undefined) =>
    given.cert === undefined && settled?.event === 'certificate.rotate' && settled.origin === origin;
  return {
    make,
    after: async (settled: Outcome | undefined) => (isDone(settled) ? undefined : make()),
    /** Says what became of the password, once that is so. */
    finish<Result extends object>(result: Result): Result {
      const verb = 'steps' in result ? 'would be' : 'is';
      if (typed.isDropped)
        terminal.notice(`the key ${verb} stored without its password: only the service account can read it`);
      return result;
    },
  };
}
