/** What `backup verify` does, in this process, without the program around it. */
import { type Check, judge } from '../../src/lib/backups/verify/checks.ts';
import { inspectSet } from '../../src/lib/backups/verify/inspect.ts';
import { findPin } from '../../src/lib/backups/verify/pin.ts';
import { verifySet } from '../../src/lib/backups/verify/verify.ts';
import { type TestServer, world } from './sandbox.ts';

const silent = { log: () => undefined, step: <T>(_text: string, work: () => Promise<T>) => work() };

/** The verdict on a set, and every check that is not `ok`, by its name. */
export async function verdictOn(
  set: string,
  server: Pick<TestServer, 'confdir'>,
  near: string,
): Promise<{ code: string; checks: Record<string, string> }> {
  const source = {
    file: set,
    near,
    gnupgHome: world.administrator,
    home: '/',
    passphraseFile: undefined,
    interactive: false,
  };
  const seen = await inspectSet(source, [`${server.confdir}/pubring.kbx`], silent);
  try {
    const checks = await verifySet(set, seen, await findPin(undefined, server.confdir), silent);
    return { code: judge(checks).code, checks: shortened(checks) };
  } finally {
    await seen.archive?.close();
  }
}

function shortened(checks: Check[]): Record<string, string> {
  const bad = checks.filter(({ outcome, detail }) => outcome !== 'ok' && !/failed$/.test(detail));
  return Object.fromEntries(bad.map(({ check, outcome, detail }) => [check, `${outcome}: ${detail}`]));
}
