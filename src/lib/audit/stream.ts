import type { AuditEvent } from '../core/trail.ts';
import type { OpenFile } from './file.ts';
import type { Position } from './format.ts';
import type { HeadFile } from './head.ts';

/** How a stream is kept. */
export interface TrailOptions {
  /** A file that has grown to this is sealed, and the next one begun; bytes. */
  fileBytes: number;
  /** Clear-signs a text with the server's key. */
  sign(text: string): Promise<string>;
  /** Whose process writes: `account:<name>`. */
  who: string;
  /** How long another process that has the stream is waited for, in milliseconds. */
  wait: number;
}

/** An event that waits to be written, or to be on the disk. */
export interface Entry {
  event: AuditEvent;
  time: number;
  isChange: boolean;
  resolve(): void;
  reject(error: Error): void;
}

/** An open stream. Only one process has it. */
export interface Stream {
  directory: string;
  name: string;
  options: TrailOptions;
  head: HeadFile;
  /** The file that is written; undefined until the first line of a new one is due. */
  file: OpenFile | undefined;
  /** The highest number of a file so far. */
  highest: number;
  /** The last line that is written. */
  last: Position;
  /** The last file that is sealed. */
  sealed: number;
  sealing: Promise<void> | undefined;
  /** What the first line of the next file says, where it is not `audit.open`. */
  opening: AuditEvent | undefined;
  /** Why nothing can be written until the stream is opened anew. */
  broken: Error | undefined;
  /** Events that are not written yet. */
  queue: Entry[];
  writing: Promise<void> | undefined;
  /** Changes that are written, and not known to be on the disk. */
  unsynced: Entry[];
  isDirty: boolean;
  syncing: Promise<void> | undefined;
  timer: NodeJS.Timeout | undefined;
  closed: boolean;
}

/** An event of the trail about itself. */
export function ownEvent(stream: Stream, event: string, what: AuditEvent['what'] = {}): AuditEvent {
  const { who } = stream.options;
  return { event, who, from: 'local', what: { stream: stream.name, ...what }, outcome: 'done' };
}
