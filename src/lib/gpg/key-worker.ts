import { parentPort } from 'node:worker_threads';
import { type ProofTask, prove } from './key-proof.ts';

// The program of the thread that looks at keys and signatures of strangers, one after the other. `key-thread.ts` starts it.
parentPort?.on('message', (task: ProofTask) => {
  prove(task).then(
    (proof) => parentPort?.postMessage(proof),
    () => parentPort?.postMessage({ refused: 'it could not be read' }),
  );
});
