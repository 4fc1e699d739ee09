import { setTimeout as pause } from 'node:timers/promises';
import { explain, failure } from '../core/errors.ts';
import type { Crew, Member, WorkerFailure } from '../core/workers.ts';

/** How long a worker that is starting is waited for, and how often it is looked for; milliseconds. */
const START_LIMIT = 15_000;
const RETRY = 50;

/** How long a worker may take to answer at all, and to read everything again; milliseconds. */
const LOOK_LIMIT = 3000;
const RELOAD_LIMIT = 10_000;

/** Where it is told that a worker could not catch up. */
interface ErrorLog {
  error(what: object, text: string): void;
}

/** Reloads of a server of several processes. */
interface CrewReloads {
  /** Has a worker read everything again that was started before the last reload, and comes after it. */
  joined(member: Member): void;
  /** Rejects where a worker does not answer. */
  look(crew: Crew): Promise<void>;
  /** Has every worker read everything again, also those that are being started. */
  reload(crew: Crew): Promise<void>;
}

/** Asks a worker; true where it ended meanwhile, and one that says nothing in time is refused. */
async function isGone({ number, pid, ask }: Member, question: string, limit: number): Promise<boolean> {
  const silent = failure(
    'unreachable',
    `worker ${number} (process ${pid}) did not answer within ${limit / 1000} seconds`,
    `kill -CONT ${pid} has it go on where it was stopped; kill -KILL ${pid} has it started again`,
  );
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<WorkerFailure>((resolve) => {
    timer = setTimeout(resolve, limit, silent);
  });
  try {
    const failed = await Promise.race([ask<WorkerFailure | undefined>(question).catch(() => null), late]);
    if (failed === silent) throw silent;
    if (failed) throw failure(failed.code, failed.message, failed.hint);
    return failed === null;
  } finally {
    clearTimeout(timer);
  }
}

/** All workers, once all are ready. */
async function allReady(crew: Crew, count: number, limit: number): Promise<Member[]> {
  for (;;) {
    const members = crew.members();
    if (members.length === count) return members;
    if (performance.now() >= limit) break;
    await pause(RETRY, undefined, { ref: false });
  }
  const there = crew.members().map(({ number }) => number);
  const missing = Array.from({ length: count }, (_, place) => place + 1).find(
    (each) => !there.includes(each),
  );
  throw failure(
    'unreachable',
    `worker ${missing} ended, and has not started again within ${START_LIMIT / 1000} seconds`,
    'journalctl -u keytrusteed shows why',
  );
}

async function askAll(members: Member[], question: string, limit: number): Promise<Member[]> {
  const gone = await Promise.all(members.map((member) => isGone(member, question, limit)));
  return members.filter((_, place) => gone[place] === false);
}

/**
 * A worker that ends on the way is waited for until the next one has come and was asked, too. That all answer is found out
 * first: where one is silent, none has changed anything.
 */
async function reloadAll(crew: Crew, count: number): Promise<void> {
  const limit = performance.now() + START_LIMIT;
  const done = new Set<Member>();
  crew.hurry();
  for (;;) {
    const left = (await allReady(crew, count, limit)).filter((member) => !done.has(member));
    if (left.length === 0) return;
    const there = await askAll(left, 'look', LOOK_LIMIT);
    for (const member of await askAll(there, 'reload', RELOAD_LIMIT)) done.add(member);
    await pause(RETRY, undefined, { ref: false });
  }
}

/** Reloads of a server with so many workers: whatever a reload that ended has exchanged, no worker serves from before it. */
export function crewReloads(count: number, log: ErrorLog): CrewReloads {
  let [began, isRunning] = [0, false];
  const catchUp = async (member: Member) => {
    try {
      await isGone(member, 'reload', RELOAD_LIMIT);
    } catch (error) {
      const { number: worker } = member;
      log.error({ worker }, `a worker that was late is ended, and started again: ${explain(error).message}`);
      await member.ask('stop').catch(() => undefined);
    }
  };
  return {
    joined(member) {
      // One that comes while a reload is under way is waited for there.
      if (!isRunning && member.since < began) void catchUp(member);
    },
    look: async (crew) => void (await askAll(crew.members(), 'look', LOOK_LIMIT)),
    async reload(crew) {
      [began, isRunning] = [performance.now(), true];
      try {
        await reloadAll(crew, count);
      } finally {
        isRunning = false;
      }
    },
  };
}
