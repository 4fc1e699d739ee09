import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { dice } from '../../support/fuzz/dice.ts';
import { makeAttack, type Target } from '../../support/fuzz/requests.ts';
import { closeAgent, openSlowBodies, sendAttack } from '../../support/fuzz/send.ts';
import {
  api,
  createMachine,
  enroll,
  type Machine,
  openSession,
  signedChallenge,
} from '../../support/machines.ts';
import { sharedServer } from '../../support/sandbox.ts';
import { configure, sharedServing } from '../../support/serving.ts';

/** `npm run fuzz:server` sends more, and prints what it saw; `KT_FUZZ_SEED` repeats what a seed did. */
const REQUESTS = Number(process.env.KT_FUZZ_REQUESTS ?? 800);
const SEED = Number(process.env.KT_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));
const AT_ONCE = 48;
const isLong = REQUESTS > 10_000;

const server = sharedServer();
const running = sharedServing(server, () =>
  configure(server, {
    RATE_LIMIT_ADDRESS: 10_000_000,
    RATE_LIMIT_CLIENT: 10_000_000,
    MAIL_TRANSPORT: 'none',
    SESSION_SECONDS: 86_400,
  }),
);
let machine: Machine;

beforeAll(async () => {
  machine = await createMachine();
  await server.orgtool(['add', '-n', 'prod', '-c', 'root@localhost', '--quiet']);
  await enroll(server, machine, 'prod');
});

/** Resident memory of the server, MiB. */
function memory(): number {
  const status = readFileSync(`/proc/${running.pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

async function findTarget(): Promise<Target> {
  const { fingerprint, publicKey, key } = machine;
  const { json } = await openSession(running, machine);
  const proof = await signedChallenge(running, machine);
  return {
    fingerprint,
    publicKey,
    privateKey: key.armor(),
    session: String(json.session),
    proof,
    id: 'A'.repeat(43),
  };
}

test(
  `${REQUESTS} requests at random (KT_FUZZ_SEED=${SEED}) neither end it nor make it fail`,
  async () => {
    const chance = dice(SEED);
    const target = await findTarget();
    const [statuses, bad, samples] = [new Map<string, number>(), [] as string[], [] as number[]];
    const slow = openSlowBodies(running.port, 20);
    const start = Date.now();
    let sent = 0;
    const attacker = async () => {
      while (sent < REQUESTS) {
        sent += 1;
        // A challenge is good for a minute; a client is allowed many.
        if (sent % 2000 === 0) target.proof = await signedChallenge(running, machine);
        if (sent % Math.ceil(REQUESTS / 200) === 0) samples.push(memory());
        const attack = makeAttack(target, chance);
        const status = await sendAttack(running.port, attack);
        const name = `${attack.kind} ${status}`;
        statuses.set(name, (statuses.get(name) ?? 0) + 1);
        const isBad =
          status === 'no answer' || (typeof status === 'number' && status >= 500 && status !== 503);
        if (isBad && bad.length < 10) bad.push(`${name}: ${JSON.stringify(attack).slice(0, 2000)}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, attacker));
    slow.close();
    closeAgent();
    const quarter = (n: number) =>
      median(samples.slice((samples.length * n) / 4, (samples.length * (n + 1)) / 4));
    const [second, last] = [quarter(1), quarter(3)];
    if (isLong) {
      const seconds = Math.round((Date.now() - start) / 1000);
      const memories = `resident memory, MiB: at first ${samples[0]}, median of the second quarter ${second}, of the last ${last}, most ${Math.max(...samples)}`;
      console.log(
        [
          `${REQUESTS} requests in ${seconds} s`,
          memories,
          ...[...statuses].toSorted().map((line) => line.join(': ')),
        ].join('\n'),
      );
      expect(last).toBeLessThan(second * 1.25 + 32);
    }
    expect(bad).toEqual([]);
    expect(running.stderr()).not.toMatch(/a request failed|unhandled|panic/i);
    expect(await api(running, 'GET', '/v1/health/ready')).toMatchObject({ status: 200 });
    expect((await openSession(running, machine)).status).toBe(201);
  },
  Math.max(60_000, REQUESTS * 30),
);
