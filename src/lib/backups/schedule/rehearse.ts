import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod/mini';
import { type Account, currentAccount, isRoot } from '../../core/account.ts';
import { readConfiguration } from '../../core/configuration.ts';
import { failure, STATUS, type StatusName } from '../../core/errors.ts';
import { exists } from '../../core/files.ts';
import { run } from '../../core/process.ts';
import { gpgVersion } from '../../gpg/program.ts';
import { resolveRecipient } from '../../gpg/recipients.ts';
import { checkOutputDirectory } from '../output.ts';

const answerSchema = z.union([
  z.object({
    recipients: z.array(z.object({ fingerprint: z.string(), userId: z.string() })),
    clusterRoot: z.string(),
  }),
  z.object({ error: z.object({ code: z.string(), message: z.string(), hint: z.nullable(z.string()) }) }),
]);

/** What a scheduled run will find: the keys that sets are encrypted to, and where the database lies. */
export interface Rehearsal {
  recipients: { fingerprint: string; userId: string }[];
  clusterRoot: string;
}

/** Metrics that cannot be written make no backup fail: they would be a warning every night. */
async function checkMetricsPlace(file: string): Promise<void> {
  await access(dirname(file), constants.W_OK | constants.X_OK).catch((error: unknown) => {
    const { name } = currentAccount();
    const message = `${dirname(file)}, where the metrics are to be written, cannot be written by ${name}`;
    throw failure('permission', message, `as root: install -d -m 755 -o ${name} ${dirname(file)}`, error);
  });
}

/** What a scheduled run will need, looked up as it will look it up. To be called as the service account. */
export async function lookUp(
  gnupgHome: string,
  recipients: string[],
  { output, confdir, metricsFile }: { output: string; confdir: string; metricsFile: string | undefined },
): Promise<Rehearsal> {
  const { PG_ROOTDIR: clusterRoot } = await readConfiguration(confdir);
  await gpgVersion();
  const found = new Map<string, Rehearsal['recipients'][number]>();
  for (const name of recipients) {
    const { fingerprint, userId } = await resolveRecipient(gnupgHome, name);
    found.set(fingerprint, { fingerprint, userId });
  }
  // One that is missing is made by whoever schedules, when that has been agreed to.
  if (await exists(output)) await checkOutputDirectory(output, confdir);
  if (metricsFile !== undefined) await checkMetricsPlace(metricsFile);
  return { recipients: [...found.values()], clusterRoot };
}

function parse(text: string): z.infer<typeof answerSchema> | undefined {
  try {
    return z.parse(answerSchema, JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * Runs this program as the account and with the environment that the schedule will give it, so that whatever would fail
 * at night fails now: a Node or a program that the account cannot read, a recipient that is not in its keyring.
 */
export async function rehearse(
  account: Account,
  words: string[],
  variables: Record<string, string>,
): Promise<Rehearsal> {
  const identity = ['setpriv', `--reuid=${account.uid}`, `--regid=${account.gid}`, '--init-groups', '--'];
  const [file = '', ...args] = [...(isRoot() ? identity : []), ...words];
  const result = await run(file, args, { home: account.home, variables });
  const answer = parse(result.stdout);
  if (answer !== undefined && 'recipients' in answer) return answer;
  if (answer === undefined) {
    throw failure(
      'permission',
      `${account.name} cannot run ${words.slice(0, 2).join(' ')}`,
      'put Node.js and the program where every account can read them, for example below /opt',
    );
  }
  const { code, message, hint } = answer.error;
  throw failure(code in STATUS ? (code as StatusName) : 'failed', message, hint ?? undefined);
}
