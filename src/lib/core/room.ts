import { freeSpace } from './files.ts';

/** How long what is free counts as known, milliseconds: while that is enough, and before somebody is refused for it. */
const KNOWN = 1000;
const DOUBTED = 100;
/** A byte that is kept is written more than once: into PostgreSQL's log, into its table, some of it into an index. */
const WRITTEN = 3;
/** What is written however little is kept: whole pages, a line of the audit trail. */
const ALWAYS = 64 * 1024;

/** By how much more must be free than the floor before it is said that there is room again. */
const MARGIN = 16 * 1024 * 1024;

/** How many bytes a mebibyte has: the unit of settings. */
export const MEBIBYTE = 1024 * 1024;

/** Where the server writes; each may be a file system of its own. */
export interface RoomPlaces {
  /** Undefined where others run the database. */
  database: string | undefined;
  audit: string;
}

/** Whether clients may still add to what is kept, so that those who administer it always have space to do so. */
export interface Room {
  places: RoomPlaces;
  /** Whether so many bytes can be kept, and the free space of every place stays above the floor. Nothing waits for it that reads. */
  has(bytes: number): Promise<boolean>;
}

/** What cannot be looked at does not end here: whoever writes there is told why that fails. */
const freeOrEnough = (directory: string) => freeSpace(directory).catch(() => Number.POSITIVE_INFINITY);

/** How many bytes are free in that of the places that has the least. */
export async function leastFree({ database, audit }: RoomPlaces): Promise<number> {
  const own = [database, audit].filter((place) => place !== undefined);
  return Math.min(...(await Promise.all(own.map(freeOrEnough))));
}

/**
 * Watches the places of one process, and not more often than once a second while there is enough: in between it subtracts
 * what it has let in. `floor` is the least that must stay free, in mebibytes, 0 for nothing; `changed` is told when nothing
 * can be added any more, and when it can again.
 */
export function openRoom(places: RoomPlaces, floor: () => number, changed: (has: boolean) => void): Room {
  let free = 0;
  let seen = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | undefined;
  let had = true;
  const tell = (has: boolean) => {
    if (has !== had) changed(has);
    had = has;
  };
  const look = async () => {
    free = await leastFree(places);
    seen = performance.now();
    looking = undefined;
    if (free >= floor() * MEBIBYTE + MARGIN) tell(true);
  };
  return {
    places,
    async has(bytes) {
      const least = floor() * MEBIBYTE;
      if (least === 0) {
        tell(true);
        return true;
      }
      const added = ALWAYS + bytes * WRITTEN;
      const isEnough = () => free - added >= least;
      if (performance.now() - seen >= (isEnough() ? KNOWN : DOUBTED)) {
        looking ??= look();
        await looking;
      }
      const has = isEnough();
      if (has) free -= added;
      else tell(false);
      return has;
    },
  };
}
