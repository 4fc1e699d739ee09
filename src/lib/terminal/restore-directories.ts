import { readClientContents } from '../backups/include/contents.ts';
import {
  type ClientPlan,
  type ClientResult,
  finishClientRestore,
  planClientRestore,
  restoreDirectories,
} from '../backups/include/restore.ts';
import { prepareSigningHome, signingFingerprint } from '../backups/include/signing-home.ts';
import { withRestoreSource } from '../backups/restore/source.ts';
import { DEFAULT_SIGNING_HOME } from '../core/config.ts';
import { failure } from '../core/errors.ts';
import { confirm } from './prompts.ts';
import { sourceOf } from './set-source.ts';
import type { Terminal } from './terminal.ts';

/** What `restore` was given, as far as directories need it. */
interface Values {
  yes: boolean;
  force: boolean;
  dryRun: boolean;
  only: unknown[];
  user: string | undefined;
  gnupgHome: string | undefined;
  passphraseFile: string | undefined;
  fingerprint: string | undefined;
  signingHome: string | undefined;
}

function describePlan({ host, fingerprint, created, directories }: ClientPlan): string {
  const lines = directories.map(({ path, members, replaces }) => {
    const what = replaces ? 'will be replaced; the present one is kept beside it' : 'will be made';
    return `  ${path} (${members} members) ${what}`;
  });
  return [`directories of ${host}, signed by ${fingerprint}`, `  made ${created}`, ...lines].join('\n');
}

/** What a restore of directories did, in words. */
export function describeClientResult({ directories }: ClientResult): string {
  const lines = directories.map(({ path, kept }) =>
    kept === undefined ? `Restored ${path}` : `Restored ${path}; the former one is ${kept}`,
  );
  return `${lines.join('\n')}\n`;
}

function refuseServerOptions({ only, user }: Values): void {
  if (only.length > 0 || user !== undefined)
    throw failure('usage', "this is a client's set: --only and --user have no meaning for it");
}

/** `restore` of a client's set, as whoever called: only root can give files to their owners. Undefined for a dry run. */
export async function restoreClient(
  file: string,
  values: Values,
  terminal: Terminal,
): Promise<ClientResult | undefined> {
  refuseServerOptions(values);
  const { signingHome = DEFAULT_SIGNING_HOME } = values;
  return withRestoreSource(sourceOf(file, values, terminal), terminal, async (_read, archive) => {
    const contents = await terminal.step('verifying the set', () => readClientContents(archive));
    const pin = values.fingerprint ?? (await signingFingerprint(signingHome));
    if (!values.dryRun) {
      const finished = await finishClientRestore(contents, signingHome);
      if (finished !== undefined) terminal.warn('finished a restore of directories that was cut off');
      if (finished?.isSame === true) return finished.result;
    }
    const plan = await planClientRestore(contents, pin, values.force);
    terminal.notice(describePlan(plan));
    if (values.dryRun) return undefined;
    if (!values.yes && !(await confirm(terminal, 'Replace what is there?', '--yes')))
      throw failure('failed', 'nothing was changed');
    await prepareSigningHome(signingHome);
    return restoreDirectories(contents, plan, signingHome, terminal);
  });
}
