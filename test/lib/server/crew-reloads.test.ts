/** Reloads of several processes, one of which comes late or is gone. */
import { expect, test } from 'vitest';
import { KeyTrusteeError } from '../../../src/lib/core/errors.ts';
import type { Member, WorkerFailure } from '../../../src/lib/core/workers.ts';
import { crewReloads } from '../../../src/lib/server/crew-reloads.ts';
import { until } from '../../support/sandbox.ts';

const REFUSED: WorkerFailure = { code: 'failed', message: 'it is broken', hint: undefined };

/** A worker that notes what it is asked, and answers as it is told. */
function worker(number: number, answer: (question: string) => Promise<unknown> = async () => undefined) {
  const asked: string[] = [];
  const ask = (question: string) => {
    asked.push(question);
    return answer(question) as Promise<never>;
  };
  const member: Member = { number, pid: number, since: performance.now(), ask };
  return { asked, member };
}

const crewOf = (members: () => Member[]) => ({
  ...{ members, hurry: () => undefined, ready: Promise.resolve(), stop: async () => undefined },
});

test('defect: a worker that ended in the middle of a reload, and the one after it was not asked', async () => {
  const [first, next] = [worker(1), worker(2)];
  const gone = worker(2, async (question) => {
    if (question === 'look') return undefined;
    members = [first.member];
    setImmediate(() => {
      members = [first.member, next.member];
    });
    throw new KeyTrusteeError('failed', 'the other process has ended');
  });
  let members = [first.member, gone.member];
  await crewReloads(2, { error: () => undefined }).reload(crewOf(() => members));
  const once = ['look', 'reload'];
  expect([first.asked, gone.asked, next.asked]).toEqual([once, once, once]);
});

test('defect: a worker from before a reload that failed came after it, and read nothing again', async () => {
  const [late, refusing] = [worker(1), worker(2, async () => REFUSED)];
  const told: string[] = [];
  const reloads = crewReloads(1, { error: (_, text) => void told.push(text) });
  await expect(reloads.reload(crewOf(() => [refusing.member]))).rejects.toMatchObject(REFUSED);
  reloads.joined(late.member);
  await until(() => late.asked.length > 0, 'it is asked');
  const next = worker(2);
  reloads.joined(next.member);
  expect([late.asked, next.asked]).toEqual([['reload'], []]);
  const broken = worker(1, async () => REFUSED);
  reloads.joined({ ...broken.member, since: late.member.since });
  await until(() => broken.asked.length > 1, 'it is ended');
  expect(broken.asked).toEqual(['reload', 'stop']);
  expect(told).toEqual(['a worker that was late is ended, and started again: it is broken']);
});
