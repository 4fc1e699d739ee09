import { askServer } from '../core/control.ts';
import { explain, failure } from '../core/errors.ts';
import { Interrupted } from '../core/interrupt.ts';
import { reached } from '../core/steps.ts';
import type { PairFiles } from '../tls/pair.ts';
import type { Journal } from './journal.ts';
import { takeOver } from './running.ts';
import { isSame, readPairSettings } from './settings.ts';
import type { Site } from './site.ts';

/** Has the server go back to what was in use; returns what is to be said where it does not. */
async function tellServer({ confdir, host }: Site, before: string | null): Promise<string> {
  try {
    if (before === null) await askServer(confdir, 'reload');
    else await takeOver(confdir, { host, fingerprint: before });
    return '';
  } catch (error) {
    return `; the server could not be told of that (${explain(error).message}): restart it`;
  }
}

/** What is gone where somebody has overwritten files in use, and no copy of them is there. */
export function lost({ SSL_CERTIFICATE }: PairFiles): string {
  return `no copy is there of what was in use, and a server that starts again reads what is in ${SSL_CERTIFICATE} now: put good files there before, or use others with ktadmin cert rotate`;
}

/** How a server that starts again has what was in use although its files were overwritten. */
export function namesCopy({ settings }: Pick<Site, 'settings'>, from: PairFiles, back: PairFiles): string {
  return `${settings} names its copy ${back.SSL_CERTIFICATE}, because ${from.SSL_CERTIFICATE} was overwritten`;
}

/** What was in use, and by which settings a server has it again; null where it is gone. */
export type Return = Pick<Journal, 'from' | 'back'> & { before: string | null };

/** Has the settings name what was in use again, and the server present it; returns what is to be said of it. */
export async function returnTo(
  site: Site,
  { from, back, before }: Return,
  change: (settings: PairFiles) => Promise<unknown>,
): Promise<string> {
  if (back === null) return lost(from);
  const isChanged = !isSame(await readPairSettings(site.settings), back);
  if (isChanged) await change(back);
  reached('cert-returned');
  const unsaid = isChanged ? await tellServer(site, before) : '';
  if (isSame(from, back)) return `the certificate that was in use stays in use${unsaid}`;
  return `the certificate that was in use stays in use: ${namesCopy(site, from, back)}; run the command again when good files lie there${unsaid}`;
}

/** What is said where even that failed. */
export const goingBackFailed = (trouble: unknown) =>
  `going back failed, too (${explain(trouble).message}): run the command again`;

/** The error that says why, and how things are now; one that lists faults says that in a line of its own. */
export function withAfter(error: unknown, after: string): Error {
  const { code, message, hint, faults } =
    error instanceof Interrupted ? failure('failed', error.message) : explain(error);
  const full = failure(code, `${message}${message.includes('\n') ? '\n' : '; '}${after}`, hint, error);
  return faults === undefined ? full : Object.assign(full, { faults });
}
