/** Chance that can be repeated: everything follows from the seed. */
export interface Dice {
  /** A whole number below `end`. */
  below(end: number): number;
  oneOf<T>(things: readonly T[]): T;
  chance(of: number): boolean;
  bytes(length: number): Buffer;
}

/** Makes dice (mulberry32). */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end: number) => Math.floor(next() * end);
  return {
    below,
    oneOf: (things) => things[below(things.length)] as (typeof things)[number],
    chance: (of) => next() < of,
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
  };
}

/** What parsers trip over. */
const NASTY = [
  ...[
    '\0',
    '\r\n',
    '\r\n\r\n',
    '{',
    '}',
    '[',
    ']',
    '"',
    '\\',
    '\\u0000',
    '\\ud800',
    '%00',
    '%',
    '%zz',
    '../',
  ],
  ...[
    '-1',
    '1e999',
    '9999999999999999999',
    'null',
    '__proto__',
    'constructor',
    '\ufeff',
    '\u202e',
    "'",
    ';--',
  ],
  ...[
    'Transfer-Encoding: chunked\r\n',
    'Content-Length: 5\r\n',
    'ffffffffffffffff\r\n',
    '-----BEGIN PGP',
    '=====',
  ],
];

/** Changes bytes in one to eight places: flips, cuts, repeats, puts something in. */
export function mutate(from: Buffer, { below, oneOf, bytes }: Dice): Buffer {
  let now = from;
  for (let changes = 1 + below(8); changes > 0; changes -= 1) {
    const at = below(now.length + 1);
    const end = Math.min(now.length, at + below(40));
    const piece = now.subarray(at, end);
    const put = oneOf([
      Buffer.alloc(0),
      bytes(1 + below(4)),
      Buffer.from(oneOf(NASTY)),
      Buffer.concat([piece, piece]),
    ]);
    now = Buffer.concat([now.subarray(0, at), put, now.subarray(at + below(end - at + 1))]);
    const flip = below(now.length);
    if (flip < now.length) now[flip] = (now[flip] ?? 0) ^ (1 << below(8));
  }
  return now;
}
