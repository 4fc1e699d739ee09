/** What the audit trail keeps of those who send too much. */
import { expect, test } from 'vitest';
import type { AuditEvent } from '../../../src/lib/core/trail.ts';
import { floodNotes } from '../../../src/lib/server/floods.ts';
import { until } from '../../support/sandbox.ts';

const refusal = (from: string): AuditEvent => ({
  ...{ event: 'deposit.list', who: 'unknown', from, what: {} },
  ...{ outcome: 'refused', reason: 'rate_limited' },
});

function notes(time?: number) {
  const lines: AuditEvent[] = [];
  const note = async (event: AuditEvent) => void lines.push(event);
  return { lines, floods: floodNotes({ note }, time) };
}

const counted = (from: string, count: number) => ({
  ...refusal(from),
  event: 'requests.refused',
  what: { count },
});

test('of requests over a limit each address has one line, and one with their number when the time ends', async () => {
  const { lines, floods } = notes(100);
  const sent = ['a', 'b', ...Array.from({ length: 300 }, () => 'a')];
  await Promise.all(sent.map((from) => floods.note(refusal(from))));
  expect(lines.slice(0, 2)).toEqual([refusal('a'), refusal('b')]);
  await until(() => lines.length > 2, 'the time has ended');
  expect(lines).toEqual([refusal('a'), refusal('b'), counted('a', 300)]);
  await floods.note(refusal('a'));
  await floods.flush();
  expect(lines.slice(3)).toEqual([refusal('a')]);
});

test('more addresses than are told apart are counted together', async () => {
  const { lines, floods } = notes();
  for (let address = 0; address < 1500; address++) await floods.note(refusal(`${address}`));
  expect(lines).toHaveLength(1000);
  await floods.flush();
  expect(lines.slice(1000)).toEqual([counted('others', 500)]);
});

test('what one address is refused for other reasons is counted apart', async () => {
  const { lines, floods } = notes();
  const full = { ...refusal('a'), reason: 'no_room' };
  for (const event of [refusal('a'), full, full, refusal('a'), full]) await floods.note(event);
  expect(lines).toEqual([refusal('a'), full]);
  await floods.flush();
  expect(lines.slice(2)).toEqual([counted('a', 1), { ...counted('a', 2), reason: 'no_room' }]);
});
