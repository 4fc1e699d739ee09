import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { objectPrinter } from '../../../src/lib/terminal/json.ts';
import type { Terminal } from '../../../src/lib/terminal/terminal.ts';

async function print(members: [string, unknown][]): Promise<string> {
  let text = '';
  const write = async (piece: string) => {
    text += piece;
  };
  const printer = objectPrinter({ write } as Terminal);
  for (const [name, value] of members) await printer.member(name, value);
  await printer.end();
  return text;
}

const PYTHON = `
import json, sys
for line in sys.stdin:
    value = json.loads(line)
    print(json.dumps(json.dumps(value, indent=4, sort_keys=True, ensure_ascii=True)))
`;
const python = (input: string) => spawnSync('python3', ['-c', PYTHON], { input, encoding: 'utf8' });
const hasPython = python('{}\n').stdout?.trim() === '"{}"';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('\u0000', '\u007f', '\u0080', '\u2028', '\ud83d\ude00', '"', '\\', '/', '\n', 'a'),
  }),
);
const organization = fc.record({
  auth_secret: text,
  contacts: fc.array(text, { maxLength: 3 }),
  creation: text,
  key_info: fc.constant(null),
  state: fc.integer(),
});

test.skipIf(!hasPython)(
  'what is printed is what Python prints, which is what the original was written in',
  async () => {
    const cases = fc.sample(
      fc.uniqueArray(fc.tuple(fc.stringMatching(/^[0-9A-Za-z_-]{1,9}$/), organization), {
        selector: ([name]) => name,
        maxLength: 4,
      }),
      150,
    );
    const sorted = cases.map((members) => members.toSorted(([a], [b]) => (a < b ? -1 : 1)));
    // JSON by hand: an object would put names like "10" first.
    const lines = sorted.map(
      (members) =>
        `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`,
    );
    const expected = python(`${lines.join('\n')}\n`)
      .stdout.trim()
      .split('\n')
      .map((line) => JSON.parse(line) as string);
    const printed = await Promise.all(sorted.map(print));
    expect(printed).toEqual(expected.map((each) => `${each}\n`));
    expect(printed.some((each) => each.includes('\\ud83d'))).toBe(true);
  },
);

test('an object without members, and one that is longer than one piece of output', async () => {
  expect(await print([])).toBe('{}\n');
  const members = Array.from({ length: 3000 }, (_, index): [string, unknown] => [
    `n${index}`,
    { text: 'x'.repeat(50) },
  ]);
  const printed = await print(members);
  expect(printed.length).toBeGreaterThan(200_000);
  expect(Object.entries(JSON.parse(printed) as object)).toEqual(members);
});
