// What a call of the library did: each request that it sent, to whom, and how that ended.
import { AsyncLocalStorage } from 'node:async_hooks';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';

const calls = new AsyncLocalStorage();
const { request } = https;

/** The library sends by this function, which it imports by name. */
https.request = (options, ...more) => {
  const sent = request(options, ...more);
  const steps = calls.getStore();
  if (steps === undefined) return sent;
  const { host, method, path } = options;
  const began = Date.now();
  const [, , kind = ''] = path.split('/');
  const step = { at: began - steps.began, what: `${host} ${method} ${kind.split('?')[0]}`, ended: 'not yet' };
  steps.all.push(step);
  const note = (text) => {
    step.ended = `${text} after ${Date.now() - began} ms`;
  };
  sent.once('error', ({ code, message }) => note(code ?? message));
  sent.once('response', ({ statusCode, headers }) => {
    const wait = headers['retry-after'];
    note(wait === undefined ? statusCode : `${statusCode}, Retry-After ${wait},`);
  });
  return sent;
};
syncBuiltinESMExports();

/** Does something by the library; returns its value or error, how long it took, and its requests as lines of text. */
export async function inSteps(work) {
  const steps = { began: Date.now(), all: [] };
  const outcome = await calls.run(steps, work).then(
    (value) => ({ value }),
    (error) => ({ error }),
  );
  const took = Date.now() - steps.began;
  return {
    outcome,
    took,
    steps: () => steps.all.map(({ at, what, ended }) => `${at} ms: ${what}: ${ended}`),
  };
}
