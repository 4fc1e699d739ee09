import { expect, test } from 'vitest';
import { failure } from '../../../src/lib/core/errors.ts';
import { critical, examine, type Finding, fine, warning } from '../../../src/lib/health/diagnosis.ts';

const check = (name: string, look: () => Promise<Finding>) => ({ name, look });

test('a check that throws or never answers is unknown, and the others are told all the same', async () => {
  const diagnosis = await examine(
    [
      check('well', async () => fine('fine')),
      check('broken', async () => {
        throw failure('unreachable', 'nobody is there', 'look');
      }),
      check('defect', async () => {
        throw new TypeError('x is not a function');
      }),
      check('silent', () => new Promise(() => undefined)),
    ],
    1000,
  );
  expect(diagnosis).toEqual({
    state: 'UNKNOWN',
    checks: [
      { name: 'well', state: 'OK', message: 'fine', hint: null },
      { name: 'broken', state: 'UNKNOWN', message: 'nobody is there', hint: 'look' },
      {
        ...{ name: 'defect', state: 'UNKNOWN', message: 'unexpected: x is not a function' },
        hint: 'run it again with --verbose and report what it prints',
      },
      { name: 'silent', state: 'UNKNOWN', message: 'no answer within 1 seconds', hint: null },
    ],
  });
});

test('the worst of all is what is known to be bad', async () => {
  const bad = check('bad', async () => critical('bad', null));
  const soon = check('soon', async () => warning('soon', 'mend it'));
  const lost = check('lost', () => Promise.reject(new Error('lost')));
  const well = check('well', async () => fine('fine'));
  const stateOf = async (...checks: ReturnType<typeof check>[]) => (await examine(checks)).state;
  expect(await stateOf(well)).toBe('OK');
  expect(await stateOf(well, lost)).toBe('UNKNOWN');
  expect(await stateOf(lost, soon)).toBe('WARNING');
  expect(await stateOf(soon, lost, bad, well)).toBe('CRITICAL');
});
