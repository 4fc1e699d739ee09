import cluster, { type Worker } from 'node:cluster';
import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Answers, type Ask, converse } from './conversation.ts';
import { failure, type KeyTrusteeError, type StatusName } from './errors.ts';

/** The first and the longest pause before a worker that ended is started again; milliseconds. */
const FIRST_DELAY = 100;
const LONGEST_DELAY = 60_000;

/** A worker that ran this long has its next start without a pause again; milliseconds. */
const SETTLED = 60_000;

/** A process that works for this one. */
export interface Member {
  /** Counts from 1 and stays the same when the worker is started again. */
  number: number;
  /** When this one was started, by the clock of `performance.now`; what it read then may be of that time. */
  since: number;
  pid: number | undefined;
  ask: Ask;
}

/** A worker as its keeper sees it. One that is not ready yet hears no questions. */
interface Kept extends Member {
  worker: Worker;
  isReady: boolean;
}

/** How workers are to be kept. */
export interface CrewRequest {
  count: number;
  /** What a worker may ask, by its number. */
  answers(number: number): Answers;
  /** Called when a worker ended although nobody told it to, with the pause before the next one (milliseconds). */
  lost(number: number, how: string, delay: number): void;
  /** Called when a worker has become ready. */
  joined(member: Member): void;
}

/** The workers of this process. */
export interface Crew {
  /** Those that are ready. */
  members(): Member[];
  /** Starts those at once whose next start would come after a pause. */
  hurry(): void;
  /** Settles when every worker has called `ready`; rejects when one ended before that. */
  ready: Promise<void>;
  /** Ends the workers: they are asked to, and killed after `limit` milliseconds. */
  stop(limit: number): Promise<void>;
}

/** Refuses workers where this account cannot read the program that they would run. */
function requireReadableProgram(): void {
  const program = process.argv[1] ?? '';
  try {
    for (const path of [program, fileURLToPath(import.meta.url)]) accessSync(path, constants.R_OK);
  } catch {
    throw failure(
      'permission',
      `${program} cannot be read by the service account, so it cannot run workers`,
      'put the program where every account can read it, for example below /opt; or set WORKERS to 1',
    );
  }
}

/** How a worker ended, for a log line. */
function ending(status: number, signal: string | null): string {
  return signal === null ? `exit status ${status}` : `signal ${signal}`;
}

/** Why a worker cannot start, as it tells it before it ends. */
export interface WorkerFailure {
  code: StatusName;
  message: string;
  hint: string | undefined;
}

/** The workers of one run, and what becomes of each. */
interface Keeping {
  request: CrewRequest;
  members: Map<number, Kept>;
  ready: Set<number>;
  /** Starts that come after a pause. */
  timers: Map<NodeJS.Timeout, () => void>;
  stopping: boolean;
  settle: { started(): void; failed(reason: unknown): void; ended(): void };
}

function startLater(keeping: Keeping, number: number, pause: number): void {
  const start = () => {
    keeping.timers.delete(timer);
    keepWorker(keeping, number, Math.min(Math.max(pause * 2, FIRST_DELAY), LONGEST_DELAY));
  };
  const timer = setTimeout(start, pause);
  keeping.timers.set(timer, start);
}

function hurry({ timers }: Keeping): void {
  for (const [timer, start] of [...timers]) {
    clearTimeout(timer);
    start();
  }
}

/** Starts one worker; when it ends, the next one comes after `delay` milliseconds. */
function keepWorker(keeping: Keeping, number: number, delay: number): void {
  const { request, members, ready, settle } = keeping;
  const since = performance.now();
  // What this process has from its caller it has taken; a worker must not look for it again.
  const worker = cluster.fork({ KTADMIN_HANDOVER: '' });
  const report = () => {
    kept.isReady = true;
    ready.add(number);
    if (ready.size === request.count) settle.started();
    request.joined(kept);
  };
  let told: KeyTrusteeError | undefined;
  const failed = ({ code, message, hint }: WorkerFailure) => {
    told = failure(code, message, hint);
  };
  const ask = converse(worker, { ...request.answers(number), ready: report, failed });
  const kept: Kept = { number, since, pid: worker.process.pid, ask, worker, isReady: false };
  members.set(number, kept);
  worker.once('disconnect', () => {
    kept.isReady = false;
  });
  worker.once('exit', (status, signal) => {
    members.delete(number);
    if (keeping.stopping) return members.size === 0 ? settle.ended() : undefined;
    const how = told?.message ?? ending(status, signal);
    if (ready.size < request.count)
      return settle.failed(told ?? failure('failed', `a worker ended before it was ready (${how})`));
    const pause = performance.now() - since > SETTLED ? 0 : delay;
    request.lost(number, how, pause);
    startLater(keeping, number, pause);
  });
}

async function stopWorkers(keeping: Keeping, limit: number): Promise<void> {
  const { members, timers, settle } = keeping;
  keeping.stopping = true;
  for (const timer of timers.keys()) clearTimeout(timer);
  timers.clear();
  if (members.size === 0) return;
  const ended = new Promise<void>((resolve) => {
    settle.ended = resolve;
  });
  for (const { ask, worker, isReady } of members.values()) {
    if (isReady) void ask('stop').catch(() => undefined);
    else worker.process.kill('SIGTERM');
  }
  const timer = setTimeout(() => {
    for (const { worker } of members.values()) worker.process.kill('SIGKILL');
  }, limit);
  await ended;
  clearTimeout(timer);
}

/** Starts processes that run the same command line as this one, and starts each anew when it ends. */
export function startCrew(request: CrewRequest): Crew {
  requireReadableProgram();
  const settle = { started: () => {}, failed: (_reason: unknown) => {}, ended: () => {} };
  const ready = new Promise<void>((resolve, reject) => {
    settle.started = resolve;
    settle.failed = reject;
  });
  ready.catch(() => undefined);
  const keeping: Keeping = {
    ...{ request, settle, stopping: false },
    members: new Map(),
    ready: new Set(),
    timers: new Map(),
  };
  for (let number = 1; number <= request.count; number++) keepWorker(keeping, number, FIRST_DELAY);
  return {
    members: () => [...keeping.members.values()].filter(({ isReady }) => isReady),
    hurry: () => hurry(keeping),
    ready,
    stop: (limit) => stopWorkers(keeping, limit),
  };
}

/** Whether this process is a worker of another one. */
export function isWorker(): boolean {
  return cluster.isWorker;
}

/** Lets a worker ask the process that started it, and answer that one's questions. */
export function askPrimary(answers: Answers): Ask {
  return converse(process as never, answers);
}

/** Ends the connection of a worker to the process that started it, which kept it alive. */
export function leaveCrew(): void {
  cluster.worker?.disconnect();
}
