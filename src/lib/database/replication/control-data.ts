import { join } from 'node:path';
import { failure } from '../../core/errors.ts';
import { runChecked } from '../../core/process.ts';
import { shellWord } from '../../core/quote.ts';
import { findPostgres } from '../binaries.ts';
import { type Cluster, clusterMajor } from '../cluster.ts';

/** What PostgreSQL's control file says of a data directory, whether a server runs in it or not. */
export interface ControlData {
  /** The same on both servers of a pair, and on no others. */
  systemIdentifier: string;
  /** Grows by one at each promotion. */
  timeline: number;
  /** PostgreSQL's own words: `shut down`, `in production`, `in archive recovery` and others. */
  state: string;
  /** Where the last checkpoint lies in the log; of a server that was shut down, where that ends. */
  checkpoint: string;
}

/** What cannot be read is no database any more; another server may have one to take. */
function damaged({ data }: Cluster, cause?: unknown): Error {
  return failure(
    'failed',
    `${data} is damaged: its control file cannot be read`,
    `where the other server of a pair has all, or a backup: mv ${shellWord(data)} ${shellWord(`${data}.damaged`)}; then run it again`,
    cause,
  );
}

/** Reads the control file of a cluster. */
export async function readControlData(cluster: Cluster): Promise<ControlData> {
  const { directory } = await findPostgres(await clusterMajor(cluster));
  const text = await runChecked(join(directory, 'pg_controldata'), ['-D', cluster.data]).catch(
    (error: unknown) => {
      throw damaged(cluster, error);
    },
  );
  const value = (name: string) => new RegExp(`^${name}: +(.*)$`, 'm').exec(text)?.[1];
  const systemIdentifier = value('Database system identifier');
  const timeline = value("Latest checkpoint's TimeLineID");
  const state = value('Database cluster state');
  const checkpoint = value('Latest checkpoint location');
  if (
    systemIdentifier === undefined ||
    timeline === undefined ||
    state === undefined ||
    checkpoint === undefined
  )
    throw damaged(cluster);
  return { systemIdentifier, timeline: Number(timeline), state, checkpoint };
}
