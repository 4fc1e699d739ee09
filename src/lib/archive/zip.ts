import type { FileHandle } from 'node:fs/promises';
import type { Entry, FileEntry } from '@zip.js/zip.js';
import { failure } from '../core/errors.ts';
import { interruption } from '../core/interrupt.ts';
import { load } from '../core/lazy.ts';

/** A file or directory of a zip archive. Paths carry no leading slash; a directory's ends with none either. */
export interface ZipMember {
  path: string;
  type: 'File' | 'Directory';
  /** Bytes, as the archive says; reading yields exactly as many, or fails. */
  size: number;
  isEncrypted: boolean;
  modified: Date;
  /** The bytes in clear, checked against size and CRC. */
  read(password: string | undefined): AsyncGenerator<Buffer>;
}

const MEMBER_LIMIT = 100_000;
const FORMAT = 0o170000;

const damaged = (name: string, why: string) =>
  failure('untrusted', `${name} is damaged: ${why}`, 'use another file');

function refuseName(name: string, path: string): void {
  const parts = path.replace(/\/$/, '').split('/');
  const isUnsafe = path.startsWith('/') || /[\\\p{Cc}]/u.test(path);
  if (isUnsafe || parts.some((part) => part === '' || part === '.' || part === '..'))
    throw damaged(name, `${JSON.stringify(path)} leads out of it`);
}

/** Anything but a file or directory is refused; what `zip` read from its standard input (`-`) may be marked as a pipe. */
function typeOf(name: string, entry: Entry): 'File' | 'Directory' {
  const format = entry.unixMode === undefined ? 0 : entry.unixMode & FORMAT;
  const isPipe = entry.filename === '-' && [0o010000, 0o140000, 0o020000].includes(format);
  const isFile = format === 0 || format === 0o100000 || isPipe;
  if (entry.directory ? format !== 0 && format !== 0o040000 : !isFile)
    throw damaged(name, `${JSON.stringify(entry.filename)} is neither a file nor a directory`);
  return entry.directory ? 'Directory' : 'File';
}

/** What the library said, in words of ours: it tells a wrong password by one byte, and a damaged file in many ways. */
function explain(name: string, isEncrypted: boolean, error: unknown): unknown {
  if (interruption.aborted) return interruption.reason;
  const message = error instanceof Error ? error.message : String(error);
  if (isEncrypted) return failure('untrusted', `${name}: wrong password, or the file is damaged`);
  return damaged(name, message.toLowerCase());
}

async function* readEntry(name: string, entry: FileEntry, password?: string): AsyncGenerator<Buffer> {
  const pipe = new TransformStream<Uint8Array, Uint8Array>();
  const stop = new AbortController();
  const { encrypted, uncompressedSize } = entry;
  const options = { checkSignature: true, checkOverlappingEntry: true, useWebWorkers: false };
  const signal = AbortSignal.any([interruption, stop.signal]);
  const work = entry.getData(pipe.writable, {
    ...options,
    signal,
    ...(password === undefined ? {} : { password }),
  });
  // The library does not always end the stream when it fails.
  const failed = work.then(() => new Promise<never>(() => undefined));
  failed.catch(() => undefined);
  const reader = pipe.readable.getReader();
  let size = 0;
  try {
    for (;;) {
      const { value: chunk } = await Promise.race([reader.read(), failed]);
      if (chunk === undefined) break;
      size += chunk.length;
      // What a header says is no bound for what comes out of compressed data.
      if (size > uncompressedSize) throw new Error('it holds more than it says');
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
    await work;
    if (size !== uncompressedSize) throw new Error('it holds less than it says');
  } catch (error) {
    throw explain(name, encrypted, error);
  } finally {
    stop.abort();
  }
}

/** Lists the members of a zip archive that lies in an open file; `name` is what errors call it. */
export async function readZip(handle: FileHandle, name: string): Promise<ZipMember[]> {
  const { Reader, ZipReader } = await load('zip');
  class HandleReader extends Reader<FileHandle> {
    override async readUint8Array(index: number, length: number): Promise<Uint8Array> {
      const bytes = new Uint8Array(length);
      const { bytesRead } = await handle.read(bytes, 0, length, index);
      return bytes.subarray(0, bytesRead);
    }
  }
  const reader = new HandleReader(handle);
  reader.size = (await handle.stat()).size;
  const options = { useWebWorkers: false, filenameValidation: 'tolerant' } as const;
  const members = new Map<string, ZipMember>();
  const entries = new ZipReader(reader, options).getEntriesGenerator();
  try {
    for await (const entry of entries) {
      refuseName(name, entry.filename);
      const path = entry.filename.replace(/\/$/, '');
      if (members.has(path)) throw damaged(name, `${path} is in it twice`);
      if (members.size >= MEMBER_LIMIT) throw damaged(name, 'it has too many members');
      members.set(path, {
        path,
        type: typeOf(name, entry),
        size: entry.uncompressedSize,
        isEncrypted: entry.encrypted,
        modified: entry.lastModDate,
        read: (password) => readEntry(name, entry as FileEntry, password),
      });
    }
  } catch (error) {
    if (error instanceof Error && error.name === 'KeyTrusteeError') throw error;
    throw explain(name, false, error);
  }
  return [...members.values()];
}
