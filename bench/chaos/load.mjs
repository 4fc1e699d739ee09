// The load: a few clients that put and get all the time by the library, and remember what they were promised.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { insist } from './shared.mjs';

const CLIENTS = 4;
const LOOPS = 2;
/** The library gives up after this; what takes longer hangs. */
const TIMEOUT = 90_000;

const digest = (content) => createHash('sha256').update(content).digest('hex');

/** One operation, timed; what it threw, if anything. */
async function timed(total, work) {
  const began = Date.now();
  const outcome = await work().then(
    (value) => ({ value }),
    (error) => ({ error }),
  );
  const took = Date.now() - began;
  total.slowest = Math.max(total.slowest, took);
  if (took > TIMEOUT + 5000) total.broken.push(`an operation took ${took} ms`);
  return outcome;
}

/** What a client may be told: nobody answers, or that it was stopped while it was. All else breaks a promise. */
function judge(client, before, { error }, total, what) {
  if (error === undefined) {
    if (before.isStopped && client.stop === before)
      total.broken.push(`${what}: client ${client.fingerprint} was served although it was stopped`);
    return;
  }
  if (error.code === 'unreachable') return;
  const mayBeStopped = before.isStopped || client.stop !== before || before.isStopping;
  if (error.code === 'permission' && mayBeStopped) return;
  total.broken.push(`${what}: ${error.code}: ${error.message}`);
}

async function put(client, random, total) {
  const content = randomBytes(
    random.next() < 0.02 ? random.whole(100_000, 1_000_000) : random.whole(0, 4096),
  );
  const options = random.next() < 0.5 ? { handle: `h${randomBytes(8).toString('hex')}` } : {};
  const before = client.stop;
  client.tried += 1;
  const outcome = await timed(total, () => client.library.put(content, options));
  judge(client, before, outcome, total, 'put');
  if (outcome.value === undefined) return;
  total.puts += 1;
  client.promised.set(outcome.value.id, { digest: digest(content), handle: options.handle });
}

/** Fetches what was promised, and compares. */
export async function get(client, id, total) {
  const promise = client.promised.get(id);
  const before = client.stop;
  const outcome = await timed(total, () => client.library.get(promise.handle ?? id));
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
  const home = join(place.directory, `client-${number}`);
  const { stdout } = await place.ktadmin(['orgtool', 'list', '-n', 'chaos']);
  const { auth_secret: code } = JSON.parse(stdout).chaos;
  const conf = JSON.parse(readFileSync(join(place.confdir, 'keytrustee.conf'), 'utf8'));
  const caCertificate = readFileSync(conf.SSL_CERTIFICATE, 'utf8');
  const server = `https://localhost:${place.port}`;
  await place.library.registerClient({ home, server, organization: 'chaos', code, caCertificate });
  const reopen = () => place.library.openClient({ home, timeout: TIMEOUT });
  const library = await reopen();
  return {
    library,
    reopen,
    fingerprint: library.fingerprint,
    promised: new Map(),
    tried: 0,
    stop: { isStopped: false },
  };
}

/** Registers the clients and sets them to work. */
export async function startLoad(place, random, total) {
  await insist('orgtool add', () => place.ktadmin(['orgtool', 'add', '-n', 'chaos', '-c', 'root@localhost']));
  const clients = [];
  for (let number = 0; number < CLIENTS; number += 1) clients.push(await register(place, number));
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
      for (const client of clients) client.library.close();
    },
  };
}
