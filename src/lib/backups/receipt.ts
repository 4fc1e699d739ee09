import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as z from 'zod/mini';
import { failure } from '../core/errors.ts';
import { createExclusively, readSmallFile, syncDirectory, writeAll } from '../core/files.ts';
import { type KeyringCall, withKeyring } from '../gpg/program.ts';
import { bareFingerprint } from '../gpg/server-key.ts';
import { verifyClearSignedWith } from '../gpg/signature.ts';

const receiptSchema = z.object({
  format: z.literal(1),
  name: z.string().check(z.regex(/^[^/\0]+$/)),
  size: z.number().check(z.int(), z.minimum(1)),
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  created: z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/)),
  sequence: z.number().check(z.int(), z.minimum(1)),
  host: z.string(),
  fingerprint: z.string().check(z.regex(/^[0-9]+R\/[0-9A-F]{40}$/)),
  recipients: z.array(z.strictObject({ fingerprint: z.string(), userId: z.string() })),
  rows: z.record(z.string(), z.number()),
  encrypted: z.boolean(),
});

/**
 * What the server says of a set's file, beside it and signed by its own key: so that an encrypted set proves itself where
 * nobody can decrypt it. `size` in bytes, `sha256` of the file as it lies, `created` in UTC.
 */
export type Receipt = z.infer<typeof receiptSchema>;

/** The ending behind a set's whole name. */
export const RECEIPT_ENDING = '.receipt.asc';

/** No receipt is larger. Bytes. */
const SIZE_LIMIT = 1024 * 1024;

/** Where a set's receipt lies. */
export function receiptPath(set: string): string {
  return `${set}${RECEIPT_ENDING}`;
}

/** A receipt as text, to be signed. */
export function printReceipt(receipt: Receipt): string {
  return `${JSON.stringify(receipt, null, 2)}\n`;
}

/** Reads a receipt whose signature has been found good. */
export function parseReceipt(text: string): Receipt {
  try {
    const parsed = receiptSchema.safeParse(JSON.parse(text));
    if (parsed.success && !Number.isNaN(Date.parse(parsed.data.created))) return parsed.data;
  } catch {
    // Not JSON: as bad as JSON of another shape.
  }
  throw failure(
    'untrusted',
    'the receipt is not one that this version reads',
    'was it made by a newer version?',
  );
}

/**
 * Writes a receipt beside the place where its set will be, and onto the disk. To be called before the set gets its name,
 * so that a set with a final name has a receipt. `sign` is `clearSign` for the server's key.
 */
export async function writeReceipt(
  directory: string,
  receipt: Receipt,
  sign: (text: string) => Promise<string>,
): Promise<string> {
  const signed = Buffer.from(await sign(printReceipt(receipt)));
  const path = receiptPath(join(directory, receipt.name));
  const handle = await createExclusively(path);
  try {
    await writeAll(handle, signed, 0);
    await handle.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  await syncDirectory(directory);
  return path;
}

/** The receipt of a set as it lies, with its signature; undefined where there is none. */
export async function readSignedReceipt(set: string): Promise<string | undefined> {
  return readSmallFile(receiptPath(set), SIZE_LIMIT);
}

/**
 * Reads the receipt of a set with a keyring that is open already; undefined where there is none. It is good when the
 * server that it names signed it and it is of a file of this name. Whether that is the right server, and whether the file
 * is still the same, is for the caller to compare.
 */
async function readReceiptWith(call: KeyringCall, set: string): Promise<Receipt | undefined> {
  const signed = await readSignedReceipt(set);
  return signed === undefined ? undefined : checkReceipt(call, set, signed);
}

/** The same of a receipt that has been read. */
export async function checkReceipt(call: KeyringCall, set: string, signed: string): Promise<Receipt> {
  const { text, signer } = await verifyClearSignedWith(call, signed);
  const receipt = parseReceipt(text);
  if (bareFingerprint(receipt.fingerprint) !== signer)
    throw failure(
      'untrusted',
      `the receipt names the server ${receipt.fingerprint}, but ${signer} signed it`,
    );
  if (receipt.name !== basename(set))
    throw failure('untrusted', `the receipt is that of ${receipt.name}, not of ${basename(set)}`);
  return receipt;
}

/** Reads the receipt of one set, with the public keys in a file. */
export async function readReceipt(set: string, publicKeys: string): Promise<Receipt | undefined> {
  return withKeyring({ publicKeys }, (call) => readReceiptWith(call, set));
}
