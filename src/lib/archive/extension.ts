/** What an extended header says of the member after it (POSIX pax format; only what this program uses). */
export interface Extension {
  path?: string;
  size?: number;
  uid?: number;
  gid?: number;
  uname?: string;
  gname?: string;
  mtime?: Date;
}

const NUMBERS = new Set(['size', 'uid', 'gid']);
const TEXTS = new Set(['path', 'uname', 'gname']);

/**
 * Parses the records `LENGTH KEY=VALUE\n` of an extended header by their lengths: a value may hold any byte, also a line
 * feed, at which the library's parser loses the rest. Undefined when the records do not fill the data exactly.
 */
export function parseExtension(data: Buffer): Extension | undefined {
  const found: Record<string, string | number | Date> = {};
  for (let position = 0; position < data.length; ) {
    const digits = /^([1-9]\d{0,8}) /.exec(data.toString('latin1', position, position + 10))?.[1];
    const end = position + Number(digits);
    const start = position + (digits?.length ?? 0) + 1;
    const equals = data.indexOf('=', start);
    if (digits === undefined || end > data.length || equals < 0 || equals >= end) return undefined;
    if (data[end - 1] !== 0x0a) return undefined;
    const key = data.toString('utf8', start, equals);
    const value = data.toString('utf8', equals + 1, end - 1);
    if (NUMBERS.has(key) && !/^\d{1,15}$/.test(value)) return undefined;
    if (NUMBERS.has(key)) found[key] = Number(value);
    else if (TEXTS.has(key)) found[key] = value;
    else if (key === 'mtime') found[key] = new Date(Number(value) * 1000);
    position = end;
  }
  return found as Extension;
}
