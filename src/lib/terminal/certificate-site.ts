import { showTrail } from '../audit/show.ts';
import type { DryRun } from '../certificates/dry-run.ts';
import type { Outcome, Site } from '../certificates/site.ts';
import { confdirFiles } from '../core/config.ts';
import { auditDirectory, type Settings } from '../core/configuration.ts';
import { countDays, daysLeft } from '../tls/dates.ts';
import { certificateRecorder } from './audit.ts';
import type { Terminal } from './terminal.ts';

/** A server whose certificate is exchanged, as the commands find it. */
export function certificateSite(settings: Settings, terminal: Terminal): Site {
  const { confdir, configuration } = settings;
  const files = confdirFiles(confdir);
  return {
    ...{ confdir, settings: files.configuration, store: files.ssl, host: configuration.EXTERNAL_ADDRESS },
    recorder: certificateRecorder(settings),
    reporter: terminal,
    async isRecorded(event, stamp) {
      const directory = auditDirectory(confdir, configuration);
      for await (const line of showTrail(directory, { event }, () => undefined))
        if (line.what.stamp === stamp && line.outcome === 'done') return true;
      return false;
    },
  };
}

function probedLine({ isChanged, probed }: Outcome): string {
  if (!isChanged) return 'it was in use already: nothing was changed';
  if (probed === 0) return 'no server runs: nothing was probed';
  return `the server presents it: ${probed} connections`;
}

/** Prints what is in use now, and how to go back. */
async function printOutcome(outcome: Outcome, terminal: Terminal): Promise<void> {
  const { subject, issuer, fingerprint, validTo, warnings, kept } = outcome;
  for (const warning of warnings) terminal.warn(warning);
  if (terminal.quiet) return;
  const days = countDays(daysLeft(outcome));
  const lines = [
    `in use now: ${subject}, until ${validTo.slice(0, 10)} (${days})`,
    `  issued by ${issuer || 'nobody'}`,
    `  SHA-256 ${fingerprint}`,
    probedLine(outcome),
    ...(kept === null ? [] : ['ktadmin cert rollback goes back to the one before']),
  ];
  await terminal.write(`${lines.join('\n')}\n`);
}

/** Prints what was done, or the steps of a dry run. */
export async function printExchange(result: Outcome | DryRun, terminal: Terminal): Promise<void> {
  if (!('steps' in result)) return printOutcome(result, terminal);
  for (const warning of result.warnings) terminal.warn(warning);
  if (terminal.quiet) return;
  const lines = result.steps.map((step, place) => `${place + 1}. ${step}`);
  if (!result.isNeeded) lines.push('it is in use already: there is nothing else to do');
  await terminal.write(`${lines.join('\n')}\nnothing was changed\n`);
}
