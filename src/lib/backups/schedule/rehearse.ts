import * as z from 'zod/mini';
import { type Account, isRoot } from '../../core/account.ts';
import { failure, STATUS, type StatusName } from '../../core/errors.ts';
import { exists } from '../../core/files.ts';
import { run } from '../../core/process.ts';
import { gpgVersion } from '../../gpg/program.ts';
import { resolveRecipient } from '../../gpg/recipients.ts';
import { checkOutputDirectory } from '../output.ts';

const answerSchema = z.union([
  z.array(z.object({ fingerprint: z.string(), userId: z.string() })),
  z.object({ error: z.object({ code: z.string(), message: z.string(), hint: z.nullable(z.string()) }) }),
]);

/** A key that sets will be encrypted to. */
export interface RehearsedRecipient {
  fingerprint: string;
  userId: string;
}

/** What a scheduled run will need, looked up as it will look it up. To be called as the service account. */
export async function lookUp(
  gnupgHome: string,
  recipients: string[],
  output: string,
  confdir: string,
): Promise<RehearsedRecipient[]> {
  await gpgVersion();
  const found = new Map<string, RehearsedRecipient>();
  for (const name of recipients) {
    const { fingerprint, userId } = await resolveRecipient(gnupgHome, name);
    found.set(fingerprint, { fingerprint, userId });
  }
  // One that is missing is made by whoever schedules, when that has been agreed to.
  if (await exists(output)) await checkOutputDirectory(output, confdir);
  return [...found.values()];
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
): Promise<RehearsedRecipient[]> {
  const identity = ['setpriv', `--reuid=${account.uid}`, `--regid=${account.gid}`, '--init-groups', '--'];
  const [file = '', ...args] = [...(isRoot() ? identity : []), ...words];
  const result = await run(file, args, { home: account.home, variables });
  const answer = parse(result.stdout);
  if (Array.isArray(answer)) return answer;
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
