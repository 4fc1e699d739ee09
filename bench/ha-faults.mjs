// What the loss of one of two servers costs: a pair on two hosts under a load of puts and gets, while PostgreSQL or the server
// of either host is killed, the link between them is cut, the passive's disk is full, or all is killed; docs/reliability.md.
//
//   npm run chaos:ha -- [--rounds 20] [--fault NAME]... [--clients 4] [--seed N] [--json]
//
// So many rounds of each fault, or of those that are named. Root only. The status is 1 when a promise was broken.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { follow } from '../scripts/follow.mjs';
import { noFigures, startLoad } from './chaos/load.mjs';
import { randomness } from './chaos/shared.mjs';
import { checkPair } from './ha-hosts/checks.mjs';
import { faultNames, hitPair, readsGoOn } from './ha-hosts/faults.mjs';
import { inOwnNetwork, isOwnNetwork, networkEnvironment } from './ha-hosts/network.mjs';
import { withPair } from './ha-hosts/place.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    fault: { type: 'string', multiple: true, default: faultNames },
    clients: { type: 'string', default: '4' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const say = (text) => console.error(text);
let isOver = false;

async function playRound(round, fault) {
  const { load, total } = round;
  total.rounds += 1;
  total.faults[fault] = (total.faults[fault] ?? 0) + 1;
  total.fault = fault;
  total.mustRead = readsGoOn(fault);
  await hitPair(round, fault);
  await checkPair(round);
  const puts = `${total.puts} puts, ${total.refused} refused, ${total.unknown} unknown`;
  say(
    `round ${total.rounds}: ${fault}; ${puts}, ${total.gets} gets of ${load.clients.length} clients so far`,
  );
}

/** Rounds in a random order, until all were played, a promise is broken, or somebody wants it to end. */
async function play(place, servers, seed) {
  const random = randomness(seed);
  const total = { seed, rounds: 0, faults: {}, ...noFigures() };
  const left = values.fault.flatMap((fault) => Array(Number(values.rounds)).fill(fault));
  const load = await startLoad(place, random, total);
  const round = { place, servers, load, random, total };
  try {
    while (left.length > 0 && !isOver && total.broken.length === 0)
      await playRound(round, left.splice(random.whole(0, left.length - 1), 1)[0]);
  } finally {
    await load.stop();
  }
  await checkPair({ ...round, isLast: true });
  return total;
}

async function main() {
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  // Asked to end, it finishes its round, checks everything once more, gives its figures and takes its hosts away.
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      isOver = true;
    });
  }
  say(`seed ${seed}`);
  const {
    mustRead: _,
    fault: _fault,
    ...figures
  } = await withPair({ clients: Number(values.clients), say }, (...pair) => play(...pair, seed));
  console.log(JSON.stringify(figures, null, values.json ? 0 : 2));
  if (figures.broken.length > 0) process.exitCode = 1;
}

if (isOwnNetwork()) {
  await main();
} else {
  const words = [process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const [program, ...args] = inOwnNetwork(words);
  follow(program, args, { stdio: 'inherit', env: networkEnvironment() });
}
