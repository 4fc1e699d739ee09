import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { confdirFiles } from '../core/config.ts';
import type { Settings } from '../core/configuration.ts';
import { explain } from '../core/errors.ts';
import { lstatOrNothing } from '../core/files.ts';
import { checkInterruption } from '../core/interrupt.ts';
import { type KeyringCall, withKeyring } from '../gpg/program.ts';
import { hostName, isSetName, type SetHost } from './name.ts';
import { checkReceipt, type Receipt, readSignedReceipt } from './receipt.ts';
import { type FileIdentity, identityOf, isSameFile, readRecords, type SetRecord } from './records.ts';

/** Where a server's sets lie, and by what its own are told from others. */
export interface SetPlace {
  directory: string;
  host: SetHost;
  /** `LOCAL_FINGERPRINT`: the key that signs. */
  fingerprint: string;
  publicKeys: string;
}

/** What is known of a set. `another server`: one of the same host name, but not of this key. */
export type SetState = 'good' | 'not checked' | 'damaged' | 'unfinished' | 'no receipt' | 'another server';

/** A set as it lies, with what can be known without reading all of it. */
export interface SurveyedSet {
  name: string;
  path: string;
  size: number;
  uid: number;
  encrypted: boolean;
  state: SetState;
  /** Why it is damaged. */
  reason: string | undefined;
  file: FileIdentity;
  /** Only where its signature is good and it is of this server. */
  receipt: Receipt | undefined;
  /** Only where the file is still the one that was checked. */
  record: SetRecord | undefined;
  /** The server's own count and UTC time, by which sets are ordered; from what it signed. */
  order: { sequence: number; created: string } | undefined;
}

/** The place of a server's sets in a directory. */
export function placeOf({ confdir, configuration }: Settings, directory: string): SetPlace {
  const { EXTERNAL_ADDRESS: host, LOCAL_FINGERPRINT: fingerprint } = configuration;
  return { directory, host, fingerprint, publicKeys: confdirFiles(confdir).publicKeys };
}

interface Judgement {
  state: SetState;
  reason?: string;
  receipt?: Receipt;
}

const damaged = (reason: string): Judgement => ({ state: 'damaged', reason });

/** What stands in a receipt is nobody's word before its signature is good; here it only tells whose it would be. */
const names = (signed: string, fingerprint: string) => signed.includes(`"fingerprint": "${fingerprint}"`);

async function judgeReceipt(
  call: KeyringCall,
  place: SetPlace,
  path: string,
  size: number,
): Promise<Judgement> {
  try {
    const signed = await readSignedReceipt(path);
    if (signed === undefined) return { state: 'no receipt' };
    if (!names(signed, place.fingerprint)) return { state: 'another server' };
    const receipt = await checkReceipt(call, path, signed);
    if (receipt.fingerprint !== place.fingerprint || receipt.host !== hostName(place.host))
      return { state: 'another server' };
    if (receipt.size !== size)
      return { ...damaged(`it has ${size} bytes instead of ${receipt.size}`), receipt };
    return { state: 'not checked', receipt };
  } catch (error) {
    checkInterruption();
    return damaged(`its receipt is of no use: ${explain(error).message}`);
  }
}

/** The newest first: by the server's own numbers, and those without one behind, by name. */
export function newestFirst(a: SurveyedSet, b: SurveyedSet): number {
  if (a.order !== undefined && b.order !== undefined)
    return b.order.sequence - a.order.sequence || (a.order.created < b.order.created ? 1 : -1);
  if (a.order !== undefined || b.order !== undefined) return a.order === undefined ? 1 : -1;
  return a.name < b.name ? 1 : -1;
}

async function survey(
  call: KeyringCall,
  place: SetPlace,
  name: string,
  records: Map<string, SetRecord>,
): Promise<SurveyedSet | undefined> {
  const path = join(place.directory, name);
  const stats = await lstatOrNothing(path);
  if (stats?.isFile() !== true) return undefined;
  const file = await identityOf(path);
  const judged: Judgement = name.endsWith('.part')
    ? { state: 'unfinished' }
    : await judgeReceipt(call, place, path, stats.size);
  const { receipt } = judged;
  const found = records.get(name);
  const record = found !== undefined && isSameFile(found.file, file) ? found : undefined;
  const state = judged.state === 'not checked' && record !== undefined ? record.outcome : judged.state;
  return {
    ...{ name, path, file, receipt, record, state },
    ...{ size: stats.size, uid: stats.uid, encrypted: /\.gpg(?:\.part)?$/.test(name) },
    reason: state === 'damaged' ? (judged.reason ?? 'it was not what its receipt says') : undefined,
    order: receipt === undefined ? undefined : { sequence: receipt.sequence, created: receipt.created },
  };
}

/**
 * Every set of a host in a directory, the newest first. Receipts are checked, and what was found out earlier is looked up;
 * no set is read. `fault` says why less is remembered than was.
 */
export async function surveySets(
  place: SetPlace,
): Promise<{ sets: SurveyedSet[]; fault: string | undefined }> {
  const found = (await readdir(place.directory)).filter((name) =>
    isSetName(place.host, name.replace(/\.part$/, '')),
  );
  const records = await readRecords(place.directory, place.host);
  const sets = await withKeyring({ publicKeys: place.publicKeys }, async (call) => {
    const each: (SurveyedSet | undefined)[] = [];
    for (const name of found) each.push(await survey(call, place, name, records.sets));
    return each.filter((set) => set !== undefined);
  });
  return { sets: sets.toSorted(newestFirst), fault: records.fault };
}
