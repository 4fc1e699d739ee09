import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { ProofTask } from '../../../src/lib/gpg/key-proof.ts';
import { type KeyThread, keyThread } from '../../../src/lib/gpg/key-thread.ts';
import { createMachine, signText } from '../../support/machines.ts';

let task: ProofTask;
let thread: KeyThread | undefined;

beforeAll(async () => {
  const { key, publicKey } = await createMachine();
  task = { key: publicKey, text: 'text', signature: await signText(key, 'text') };
});

afterEach(async () => {
  await thread?.close();
});

test('good and wrong signatures are told apart, and nobody signs for a key that nobody has', async () => {
  thread = keyThread();
  expect(await thread.prove(task)).toMatchObject({ isProven: true });
  expect(await thread.prove({ ...task, text: 'other' })).toMatchObject({ isProven: false });
  expect(await thread.prove({ ...task, key: null })).toMatchObject({ isProven: false });
  expect(await thread.prove({ ...task, key: 'none' })).toMatchObject({ refused: expect.any(String) });
});

test('what takes too long is given up, and the next is looked at by a new thread', async () => {
  thread = keyThread(1);
  await expect(thread.prove(task)).rejects.toMatchObject({ code: 'unavailable' });
  await expect(thread.prove(task)).rejects.toMatchObject({ code: 'unavailable' });
});

test('only so many wait; one more is turned away at once, and the others are served (HS-7)', async () => {
  const crowded = keyThread();
  thread = crowded;
  const answers = Promise.allSettled(Array.from({ length: 65 }, () => crowded.prove(task)));
  // This thread is free meanwhile.
  await delay(0);
  const states = (await answers).map(({ status }) => status);
  expect(states).toEqual([...Array(64).fill('fulfilled'), 'rejected']);
});
