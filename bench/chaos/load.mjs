// The load: a few clients that put and get all the time by the library, and remember what they were promised.
import { createHash, randomBytes } from 'node:crypto';
import { openAll } from './client.mjs';
import { insist } from './shared.mjs';
import { inSteps } from './steps.mjs';

const LOOPS = 2;

const digest = (content) => createHash('sha256').update(content).digest('hex');

/** What a run counts; `slowest` in milliseconds by kind of operation. */
export function noFigures() {
  return {
    puts: 0,
    gets: 0,
    atOnce: 0,
    refused: 0,
    unknown: 0,
    settled: 0,
    disabled: 0,
    slowest: {},
    broken: [],
  };
}

/**
 * One operation, timed; what it threw, if anything. `kindOf` is asked when it is over. `limit`: what the library is given; what
 * takes longer hangs.
 */
async function timed(total, kindOf, limit, work) {
  const { outcome, took, steps } = await inSteps(work);
  const kind = kindOf();
  if (took > (total.slowest[kind] ?? -1)) {
    total.slowest[kind] = took;
    if (kind === 'get') total.slowestGet = { took, fault: total.fault ?? null, steps: steps() };
  }
  if (took > limit + 5000) total.broken.push(`an operation took ${took} ms`);
  return outcome;
}

/** Whether a client was stopped, or could have been, at any time since then. */
const mayBeStopped = (client, before) => before.isStopped || before.isStopping || client.stop !== before;

/**
 * What a client may be told: nobody answers (but for a read while one of two servers is well, `mustRead`), or that it was stopped
 * while it was. All else breaks a promise.
 */
function judge(client, before, { error }, total, what) {
  if (error === undefined) {
    if (before.isStopped && client.stop === before)
      total.broken.push(`${what}: client ${client.fingerprint} was served although it was stopped`);
    return;
  }
  if (error.code === 'state' && what === 'put' && error.outcome === 'nothing-written') return;
  if (error.code === 'unreachable' && !(what.startsWith('get') && total.mustRead)) return;
  if (error.code === 'permission' && mayBeStopped(client, before)) return;
  total.broken.push(`${what}: ${error.code}: ${error.message}`);
}

async function put(client, random, total) {
  const content = randomBytes(
    random.next() < 0.02 ? random.whole(100_000, 1_000_000) : random.whole(0, 4096),
  );
  const isNamed = client.isNamed || random.next() < 0.5;
  const options = isNamed ? { handle: `h${randomBytes(8).toString('hex')}` } : {};
  const before = client.stop;
  client.tried += 1;
  const outcome = await timed(
    total,
    () => 'put',
    client.limits.put,
    () => client.writer.put(content, options),
  );
  judge(client, before, outcome, total, 'put');
  if (outcome.value === undefined) return remember(client, options.handle, content, outcome.error, total);
  total.puts += 1;
  client.promised.set(outcome.value.id, { digest: digest(content), handle: options.handle });
  if (client.doors.length > 1) await getAtOnce(client, outcome.value.id, random, total);
}

/** What was promised a moment ago is at each server that answers, whatever is between them. */
async function getAtOnce(client, id, random, total) {
  const { soon } = random.one(client.doors);
  const before = client.stop;
  const outcome = await timed(
    total,
    () => 'soon',
    client.limits.soon,
    () => soon.get(id),
  );
  judge(client, before, outcome, total, `at once, ${soon.server}, ${id}`);
  if (outcome.error === undefined) total.atOnce += 1;
}

/** Keeps what an error of a put says of it: that nothing was written, or that nobody knows. */
function remember(client, handle, content, { outcome }, total) {
  if (outcome === 'nothing-written') {
    total.refused += 1;
    client.refused.add(handle);
  } else {
    total.unknown += 1;
    client.unknown.set(handle, content);
  }
}

/** Puts once more what nobody knows of; the library sends the very same, so that it is there once in any case. */
export async function settle(client, total) {
  for (const [handle, content] of client.unknown) {
    const { id } = await client.library.put(content, { handle });
    client.unknown.delete(handle);
    client.promised.set(id, { digest: digest(content), handle });
    total.settled += 1;
  }
}

/** Fetches what was promised, and compares; by another library of the client's than the usual one where one is given. */
export async function get(client, id, total, library = client.library) {
  const promise = client.promised.get(id);
  const before = client.stop;
  const { mustRead } = total;
  // A stopped client is refused, but not before the active server has said so: how long it waits for that is another figure.
  const kindOf = () => {
    if (mayBeStopped(client, before)) return 'getOfStopped';
    return mustRead === false || total.mustRead === false ? 'getWithoutServer' : 'get';
  };
  const outcome = await timed(total, kindOf, client.limits.get, () => library.get(promise.handle ?? id));
  judge(client, before, outcome, total, `get ${id}`);
  if (outcome.value === undefined) return false;
  total.gets += 1;
  if (digest(outcome.value.content) !== promise.digest || outcome.value.id !== id)
    total.broken.push(`get ${id}: not what was stored`);
  return true;
}

async function loop(client, random, total, control) {
  while (!control.isOver) {
    while (control.isPaused && !control.isOver) await control.resumed;
    if (control.isOver) return;
    control.atWork += 1;
    const ids = [...client.promised.keys()];
    if (ids.length > 0 && random.next() < 0.5) await get(client, random.one(ids.slice(-500)), total);
    else await put(client, random, total);
    control.atWork -= 1;
  }
}

async function register(place, number) {
  const { stdout } = await place.ktadmin(['orgtool', 'list', '-n', 'chaos']);
  const { auth_secret: code } = JSON.parse(stdout).chaos;
  return {
    ...(await openAll(place, number, code)),
    isNamed: place.servers.length > 1,
    promised: new Map(),
    refused: new Set(),
    unknown: new Map(),
    tried: 0,
    stop: { isStopped: false },
  };
}

/** Registers the clients and sets them to work. */
export async function startLoad(place, random, total) {
  await insist('orgtool add', () => place.ktadmin(['orgtool', 'add', '-n', 'chaos', '-c', 'root@localhost']));
  const clients = [];
  for (let number = 0; number < place.clients; number += 1) clients.push(await register(place, number));
  const control = { isOver: false, isPaused: false, atWork: 0, resumed: undefined };
  let resume = () => {};
  const loops = clients.flatMap((client) =>
    Array.from({ length: LOOPS }, () => loop(client, random, total, control)),
  );
  const idle = async () => {
    while (control.atWork > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  return {
    clients,
    /** Lets what is under way end, and begins nothing new. */
    async pause() {
      control.isPaused = true;
      control.resumed = new Promise((resolve) => {
        resume = resolve;
      });
      await idle();
    },
    resume() {
      control.isPaused = false;
      resume();
    },
    async stop() {
      control.isOver = true;
      resume();
      await Promise.all(loops);
    },
    close: () => {
      for (const client of clients) client.close();
    },
  };
}
