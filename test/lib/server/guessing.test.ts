/** Codes of one address that come at once. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Refusal } from '../../../src/lib/core/refusal.ts';
import { guessGuard } from '../../../src/lib/server/guessing.ts';

test('right ones are all taken, of wrong ones only ten are judged', async () => {
  const guard = guessGuard();
  let judged = 0;
  const send = (count: number, isRight: boolean) =>
    Promise.all(
      Array.from({ length: count }, () =>
        guard
          .judge('a', async () => {
            judged++;
            await turn();
            if (!isRight) throw new Refusal('wrong_code');
            return 'right';
          })
          .catch((error: Refusal) => error.code),
      ),
    );
  expect(new Set(await send(60, true))).toEqual(new Set(['right']));
  judged = 0;
  const answers = await send(60, false);
  expect(answers.filter((answer) => answer === 'wrong_code')).toHaveLength(10);
  expect(answers.filter((answer) => answer === 'rate_limited')).toHaveLength(50);
  expect(await send(1, true)).toEqual(['rate_limited']);
  expect(judged).toBe(10);
});
