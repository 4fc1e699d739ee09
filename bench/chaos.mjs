// What a crash costs: a server with two workers and its PostgreSQL under a load of puts and gets, while processes of both are
// killed (kill -9) and clients are stopped and let in again. After every round all that was acknowledged must be there.
//
//   npm run chaos -- [--rounds 50] [--hours 24] [--seed N] [--json] [--confdir DIR --bin DIR]
//
// Without --confdir it makes a server of its own and removes it afterwards. The status is 1 when a promise was broken.
import { parseArgs } from 'node:util';
import { checkRound } from './chaos/checks.mjs';
import { breakThings } from './chaos/faults.mjs';
import { noFigures, startLoad } from './chaos/load.mjs';
import { withPlace } from './chaos/place.mjs';
import { openServer } from './chaos/server.mjs';
import { randomness } from './chaos/shared.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    hours: { type: 'string' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
    confdir: { type: 'string' },
    bin: { type: 'string' },
  },
});

const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const rounds = values.hours === undefined ? Number(values.rounds) : Number.POSITIVE_INFINITY;
let end =
  values.hours === undefined ? Number.POSITIVE_INFINITY : Date.now() + Number(values.hours) * 3_600_000;
const say = (text) => console.error(text);

// Asked to end, it finishes its round, checks everything once more, gives its figures and takes its server away.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    end = 0;
  });
}

/** Rounds until the number is reached, or the time, or a promise is broken. */
async function play(place) {
  const random = randomness(seed);
  const server = await openServer(place, say);
  const total = { seed, rounds: 0, kills: {}, ...noFigures() };
  try {
    const load = await startLoad(place, random, total);
    try {
      while (total.rounds < rounds && Date.now() < end && total.broken.length === 0) {
        total.rounds += 1;
        const faults = await breakThings({ place, server, load, random, total });
        await checkRound({ place, server, load, random, total });
        say(`round ${total.rounds}: ${faults.join(', ')}; ${total.puts} puts and ${total.gets} gets so far`);
      }
    } finally {
      await load.stop();
    }
    await checkRound({ place, server, load, random, total, isLast: true });
  } finally {
    await server.stop();
  }
  return total;
}

say(`seed ${seed}`);
const total = await withPlace(values, play);
console.log(JSON.stringify(total, null, values.json ? 0 : 2));
if (total.broken.length > 0) process.exitCode = 1;
