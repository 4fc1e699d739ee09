const pad = (value: number, digits = 2) => String(value).padStart(digits, '0');

/** Local time without a zone, whole seconds: `2013-12-02T09:55:21`, as the original product prints times. */
export function localTime(date: Date): string {
  const day = `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** Local time of a log line: `2017-04-12 11:56:44,587`, with a comma before the milliseconds. */
export function logTime(date: Date): string {
  return `${localTime(date).replace('T', ' ')},${pad(date.getMilliseconds(), 3)}`;
}

/** UTC time of a backup set's name: `2016-02-10_11-14-37`. UTC, so that names never run backwards when summer time ends. */
export function stampTime(date: Date): string {
  return date.toISOString().slice(0, 19).replace('T', '_').replaceAll(':', '-');
}
