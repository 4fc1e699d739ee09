import type { Reporter } from '../core/reporter.ts';
import type { Recorder } from '../core/trail.ts';
import type { PairFiles } from '../tls/pair.ts';
import type { Contents } from './generation.ts';
import type { Journal, Told } from './journal.ts';

/** A server whose certificate is exchanged: where its things lie, and who sees and records what is done. */
export interface Site {
  confdir: string;
  /** Its configuration file. */
  settings: string;
  /** Where pairs lie that were made or copied, and those that are kept. */
  store: string;
  /** The name by which clients reach it. */
  host: string;
  recorder: Recorder;
  reporter: Pick<Reporter, 'step'>;
  /** Whether the audit trail has that this run was done. */
  isRecorded(event: Journal['event'], stamp: string): Promise<boolean>;
}

/** A pair as it is to be written, and the command that prints the key's password; or settings that name files that are there. */
export type WantedPair =
  | { contents: Contents; script: string | undefined; settings?: undefined }
  | { settings: PairFiles };

/** What is to come into use. */
export interface Wanted {
  event: Journal['event'];
  told: Omit<Told, 'before'>;
  pair: WantedPair;
  /** Looks at the files as the server will, before they are put to use; throws what is wrong with them. */
  check(files: PairFiles): Promise<void>;
  /** What is removed from the store once it is done. */
  consumed: string | null;
}

/** What was exchanged. */
export interface Outcome extends Told {
  event: Journal['event'];
  /** What the settings say now. */
  files: PairFiles;
  /** Where the pair that was in use before is kept. */
  kept: string | null;
  /** False where it was in use already. */
  isChanged: boolean;
  /** How often the server was connected to and presented it; 0 where none runs. */
  probed: number;
  /** What could not be tidied up. */
  warnings: string[];
}
