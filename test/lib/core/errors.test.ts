import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { explain, failure, STATUS, STATUS_MEANING } from '../../../src/lib/core/errors.ts';

test('exit statuses are never renumbered', () => {
  expect(STATUS).toEqual({
    done: 0,
    failed: 1,
    usage: 2,
    state: 3,
    permission: 4,
    notFound: 5,
    conflict: 6,
    unreachable: 7,
    untrusted: 8,
    bug: 70,
    locked: 75,
  });
  expect(Object.keys(STATUS_MEANING)).toEqual(Object.keys(STATUS));
});

test('a system error becomes words for a person, with its path', async () => {
  const error: unknown = await readdir('/nosuch').catch((thrown: unknown) => thrown);
  expect(explain(error)).toMatchObject({ code: 'notFound', message: '/nosuch: no such file or directory' });
  expect(explain(Object.assign(new Error('x'), { code: 'ENOSPC' }))).toMatchObject({
    code: 'failed',
    message: 'no space left on device',
    hint: 'free some space and run the command again',
  });
});

test('an error for a person stays as it is, and what nobody foresaw is a bug', () => {
  const known = failure('conflict', 'a message', 'a hint');
  expect(explain(known)).toBe(known);
  const cause = new Error('unforeseen');
  expect(explain(cause)).toMatchObject({ code: 'bug', message: 'unexpected: unforeseen', cause });
  expect(explain('a text')).toMatchObject({ code: 'bug', message: 'unexpected: a text' });
});
