import { randomBytes } from 'node:crypto';
import { afterEach, expect, test, vi } from 'vitest';
import { challengesOf } from '../../../src/lib/clients/challenge.ts';
import { sessionsOf } from '../../../src/lib/clients/session.ts';
import { sealFor } from '../../../src/lib/core/seal.ts';

const secret = randomBytes(32);
const SERVER = 'A'.repeat(40);
const who = { fingerprint: 'B'.repeat(40) };

afterEach(() => {
  vi.useRealTimers();
});

test('a challenge is good for a minute, at the server and run that made it', () => {
  vi.useFakeTimers();
  const challenges = challengesOf(secret, SERVER);
  const { challenge, expires } = challenges.make();
  expect(challenge).toContain(`.${SERVER}.`);
  expect(challenges.check(challenge)).toEqual(expires);
  expect(challengesOf(secret, 'C'.repeat(40)).check(challenge)).toBeUndefined();
  expect(challengesOf(randomBytes(32), SERVER).check(challenge)).toBeUndefined();
  expect(challenges.check(sessionsOf(secret).open(who, 60).session)).toBeUndefined();
  vi.setSystemTime(Date.now() + 59_999);
  expect(challenges.check(challenge)).toEqual(expires);
  vi.setSystemTime(Date.now() + 1);
  expect(challenges.check(challenge)).toBeUndefined();
});

test('a session ends when it is said to, although it was seen before', () => {
  vi.useFakeTimers();
  const sessions = sessionsOf(secret);
  const { session } = sessions.open(who, 900);
  expect(sessions.check(session)).toEqual(who);
  vi.setSystemTime(Date.now() + 900_000);
  expect(sessions.check(session)).toBeUndefined();
  expect(sessionsOf(secret).check(session)).toBeUndefined();
});

test('a seal of one purpose, secret or spelling is no other', () => {
  const text = sealFor('a', secret).close(['1', '2']);
  expect(sealFor('a', secret).open(text)).toEqual(['1', '2']);
  expect(sealFor('b', secret).open(text)).toBeUndefined();
  expect(sealFor('a', randomBytes(32)).open(text)).toBeUndefined();
  const last = text.charCodeAt(text.length - 1);
  for (const other of [`${text}=`, `${text} `, text.replace('.1.', '.2.'), text.slice(1), '', '.', 'a']) {
    expect(sealFor('a', secret).open(other)).toBeUndefined();
  }
  for (const step of [1, 2, 3]) {
    const other = `${text.slice(0, -1)}${String.fromCharCode(last ^ step)}`;
    expect(sealFor('a', secret).open(other)).toBeUndefined();
  }
});
