import { parentPort } from 'node:worker_threads';
import { type Proof, type ProofTask, prove } from './key-proof.ts';
import { checkPublicKey, type KeyCheck } from './public-key.ts';

/** A key that a person gave, to be looked at. */
export interface CheckTask {
  given: string | Uint8Array;
}

const checkKey = ({ given }: CheckTask): Promise<KeyCheck> =>
  checkPublicKey(given).catch(() => ({ fault: 'unreadable' }));
const proveKey = (task: ProofTask): Promise<Proof> =>
  prove(task).catch(() => ({ refused: 'it could not be read' }));

// The program of the thread that looks at keys and signatures of strangers, one after the other. `key-thread.ts` starts it.
parentPort?.on('message', (task: ProofTask | CheckTask) => {
  void ('given' in task ? checkKey(task) : proveKey(task)).then((answer) => parentPort?.postMessage(answer));
});
