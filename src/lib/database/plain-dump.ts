import { JOB_SCHEMA } from './jobs.ts';

const NEWLINE = 10;
/** The longest line outside of table data that is looked at; a longer one is passed on as it is. */
const LINE_LIMIT = 8192;
const COPY = /^COPY (.+?) (?:\(.*\) )?FROM stdin;$/;
const HEADER_RESTRICT = /^\\restrict [0-9A-Za-z]+$/;
const FOOTER_RESTRICT = /^\\unrestrict [0-9A-Za-z]+$/;
const TRAILER = '-- PostgreSQL database dump complete';

/** What `pg_dump -c` begins with: it fails in a database that is empty (hazard PG-6). */
const CLEANING =
  /^(?:DROP [^;]*|ALTER [^;]* (?:DROP CONSTRAINT [^;]*|ALTER COLUMN [^;]* DROP (?:DEFAULT|IDENTITY)[^;]*));$/;

/**
 * Who owns what and may do what on the machine that made the dump, what every new database has already, and settings of
 * other versions. The one role that loads the dump may not say the first, and need not say the others.
 */
const LEFT_OUT = [
  /^ALTER .* OWNER TO [^;]*;$/,
  /^ALTER DEFAULT PRIVILEGES .*;$/,
  /^(?:GRANT|REVOKE) .*;$/,
  /^CREATE SCHEMA public;$/,
  /^COMMENT ON (?:SCHEMA public|EXTENSION \S+) IS .*;$/,
  /^CREATE EXTENSION IF NOT EXISTS plpgsql .*;$/,
  /^SET (?:default_with_oids|transaction_timeout) = .*;$/,
];

/** How far a plain dump of pg_dump has been read, and what was found in it. */
export interface PlainDump {
  /** Rows by table: the lines of each COPY block. Tables of the schema `public` are named without it. */
  rows: Map<string, number>;
  /** Whether it begins by dropping what it makes (`pg_dump -c`). */
  cleans: boolean;
  place: 'header' | 'cleaning' | 'statements' | 'data' | 'footer';
  table: string;
  /** The beginning of a line whose end is not there yet; of a long one it has been passed on. */
  rest: Buffer;
  isLong: boolean;
}

/** A reader that stands at the start of a dump. */
export function plainDump(): PlainDump {
  return {
    rows: new Map(),
    cleans: false,
    place: 'header',
    table: '',
    rest: Buffer.alloc(0),
    isLong: false,
  };
}

function countRow(dump: PlainDump): void {
  if (!dump.rows.has(dump.table)) return;
  dump.rows.set(dump.table, (dump.rows.get(dump.table) ?? 0) + 1);
}

function enterTable(dump: PlainDump, name: string): void {
  dump.table = name.replace(/^public\./, '').replace(/^"(.*)"$/, '$1');
  // What waits in the job queue does not come back, so it does not count.
  if (!dump.table.startsWith(`${JOB_SCHEMA}.`)) dump.rows.set(dump.table, 0);
  dump.place = 'data';
}

/** Whether a line outside of table data is to be fed to psql. */
function isWanted(dump: PlainDump, line: string): boolean {
  if (line === TRAILER) dump.place = 'footer';
  if (line === '' || line.startsWith('--')) return true;
  if (dump.place === 'footer') return !FOOTER_RESTRICT.test(line);
  if (dump.place === 'header' && HEADER_RESTRICT.test(line)) return false;
  if (dump.place === 'header') dump.place = 'cleaning';
  if (dump.place === 'cleaning' && CLEANING.test(line)) {
    dump.cleans = true;
    return false;
  }
  if (line.startsWith('CREATE ')) dump.place = 'statements';
  const table = COPY.exec(line)?.[1];
  if (table !== undefined) enterTable(dump, table);
  return !LEFT_OUT.some((pattern) => pattern.test(line));
}

function takeLine(dump: PlainDump, line: Buffer): boolean {
  if (dump.place !== 'data') return isWanted(dump, line.toString('utf8').trimEnd());
  if (line.length <= 4 && line.toString('latin1').trimEnd() === '\\.') dump.place = 'statements';
  else countRow(dump);
  return true;
}

/**
 * Takes the next piece of a dump and returns what of it is to be fed to psql, for a new database of one owner. Lines are
 * recognized by the forms that pg_dump writes: that is enough to feed psql well, and nothing that must be safe hangs on it.
 */
export function takePiece(dump: PlainDump, piece: Buffer): Buffer {
  const all = dump.rest.length === 0 ? piece : Buffer.concat([dump.rest, piece]);
  const wanted: Buffer[] = [];
  let kept = 0;
  let start = 0;
  for (let end = all.indexOf(NEWLINE); end >= 0; end = all.indexOf(NEWLINE, start)) {
    // Of a long line only the end is here; what it is was not looked at.
    if (dump.isLong && dump.place === 'data') countRow(dump);
    else if (!dump.isLong && !takeLine(dump, all.subarray(start, end + 1))) {
      wanted.push(all.subarray(kept, start));
      kept = end + 1;
    }
    dump.isLong = false;
    start = end + 1;
  }
  dump.isLong ||= all.length - start > LINE_LIMIT;
  const end = dump.isLong ? all.length : start;
  dump.rest = Buffer.from(all.subarray(end));
  wanted.push(all.subarray(kept, end));
  return Buffer.concat(wanted);
}

/** Takes the end of a dump: what is left of its last line, where that has no end. */
export function takeEnd(dump: PlainDump): Buffer {
  return dump.rest.length > 0 && takeLine(dump, dump.rest) ? dump.rest : Buffer.alloc(0);
}
