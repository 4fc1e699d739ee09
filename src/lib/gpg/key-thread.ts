import { Worker } from 'node:worker_threads';
import { load } from '../core/lazy.ts';
import { Refusal } from '../core/refusal.ts';
import type { Proof, ProofTask } from './key-proof.ts';
import type { CheckTask } from './key-worker.ts';
import type { KeyCheck } from './public-key.ts';

/** What a key and its signature may cost, milliseconds; the worst that fits into the limits of size takes a small part of it. */
const TIME_LIMIT = 4000;
/** How many may wait; more are turned away. */
const QUEUE_LIMIT = 64;
const MEMORY = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16 };

/** A thread that looks at keys of strangers, so that none of them can hold up everybody else (hazards HS-7, OP-15). */
export interface KeyThread {
  /** Looks at one key and signature; a refusal `unavailable` where too many wait or it took too long. */
  prove(task: ProofTask): Promise<Proof>;
  /** Looks at a public key that a person gave, with the same limits. */
  check(given: string | Uint8Array): Promise<KeyCheck>;
  close(): Promise<void>;
}

/** Asks the thread once. It ends, and is made anew for the next, when it does not answer in time or dies. */
function ask<Answer>(worker: Worker, task: ProofTask | CheckTask, limit: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      clearTimeout(timer);
      worker.off('message', answer).off('error', fail).off('exit', fail);
      act();
    };
    const answer = (found: Answer) => settle(() => resolve(found));
    const fail = () => settle(() => reject(new Refusal('unavailable')));
    const timer = setTimeout(fail, limit);
    worker.on('message', answer).on('error', fail).on('exit', fail);
    worker.postMessage(task);
  });
}

function startWorker(source: string): Worker {
  const options = { eval: true, env: {}, argv: [], execArgv: [], resourceLimits: MEMORY };
  const worker = new Worker(source, options);
  // What goes wrong while nobody asks shows at the next question.
  worker.on('error', () => undefined);
  worker.unref();
  return worker;
}

/**
 * Makes the thread; it starts when it is first needed. Its program is handed over as text, because the service account
 * may not be able to read the program's files.
 */
export function keyThread(limit = TIME_LIMIT): KeyThread {
  let worker: Worker | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  async function askNow<Answer>(task: ProofTask | CheckTask): Promise<Answer> {
    const { source } = await load('keyWorker');
    worker ??= startWorker(source);
    try {
      return await ask<Answer>(worker, task, limit);
    } catch (error) {
      void worker.terminate();
      worker = undefined;
      throw error;
    }
  }

  async function askInTurn<Answer>(task: ProofTask | CheckTask): Promise<Answer> {
    if (waiting >= QUEUE_LIMIT) throw new Refusal('unavailable');
    waiting += 1;
    const turn = last.then(() => askNow<Answer>(task));
    last = turn.catch(() => undefined).finally(() => (waiting -= 1));
    return turn;
  }

  return {
    prove: (task) => askInTurn<Proof>(task),
    check: (given) => askInTurn<KeyCheck>({ given }),
    async close() {
      await worker?.terminate();
    },
  };
}
