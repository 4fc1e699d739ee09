import { hash } from 'node:crypto';
import { join } from 'node:path';
import type { AuditEvent } from '../core/trail.ts';

/** What stands for the line before the first one. */
export const NOTHING = '0'.repeat(64);

/** The names of streams: one for each process of the server, and one that the commands share. */
export const STREAM = /^(?:server-[1-9][0-9]{0,3}|command)$/;

/** A line of the trail. */
export interface Line extends AuditEvent {
  seq: number;
  /** UTC, to the millisecond: `2026-05-04T03:02:01.123Z`. */
  time: string;
  /** SHA-256 of the line before, without its newline. */
  previous: string;
}

/** A line's place in a stream: the number of its file, its own number, and its SHA-256. */
export interface Position {
  file: number;
  seq: number;
  hash: string;
}

/** What the head record says: the last line that is known to be on the disk, and the last file that is sealed. */
export interface Head extends Position {
  sealed: number;
}

const digits = (value: number, length: number) => String(value).padStart(length, '0');

/** The files of a stream. */
export function trailFiles(directory: string, stream: string) {
  const file = (number: number) => join(directory, `${stream}.${digits(number, 8)}.jsonl`);
  return {
    head: join(directory, `${stream}.head`),
    file,
    seal: (number: number) => `${file(number)}.seal.asc`,
  };
}

/** The number of a stream's file by its name; undefined where it is none. */
export function fileNumber(stream: string, name: string): number | undefined {
  const number = new RegExp(`^${stream}[.]([0-9]{8})[.]jsonl$`).exec(name)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** The hash by which a line is named in the next one. */
export function hashOf(line: string | Uint8Array): string {
  return hash('sha256', line);
}

/** A line as it is written, without its newline. */
export function formatLine(event: AuditEvent, time: string, { seq, hash: previous }: Position): string {
  const { event: name, who, from, what, outcome, reason } = event;
  const told = JSON.stringify({ event: name, who, from, what, outcome, reason });
  return `{"seq":${seq + 1},"time":"${time}",${told.slice(1, -1)},"previous":"${previous}"}`;
}

/** Reads a line; undefined where it is none. */
export function parseLine(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Partial<Line> | null;
    const isLine = Number.isSafeInteger(line?.seq) && typeof line?.previous === 'string';
    return isLine && typeof line.event === 'string' ? (line as Line) : undefined;
  } catch {
    return undefined;
  }
}

/** The head record: one line of the same length always, so that it can be written over. */
export function formatHead({ seq, file, hash: last, sealed }: Head): string {
  return `${digits(seq, 16)} ${digits(file, 8)} ${last} ${digits(sealed, 8)}\n`;
}

/** The length of a head record, in bytes. */
export const HEAD_SIZE = 100;

/** Reads a head record; undefined where it is none. */
export function parseHead(text: string): Head | undefined {
  const [, seq, file, last = '', sealed] =
    /^([0-9]{16}) ([0-9]{8}) ([0-9a-f]{64}) ([0-9]{8})\n$/.exec(text) ?? [];
  if (seq === undefined) return undefined;
  return { seq: Number(seq), file: Number(file), hash: last, sealed: Number(sealed) };
}
