import { auditDirectory, type Settings } from '../core/configuration.ts';
import { askServer, type ServerState } from '../core/control.ts';
import { KeyTrusteeError } from '../core/errors.ts';
import { readNode } from '../database/replication/node.ts';
import { isExternal, type Source, sourceOf } from '../database/source.ts';
import { judgeCertificate } from '../health/certificate.ts';
import {
  type Check,
  critical,
  type Diagnosis,
  type Finding,
  fine,
  LOOK_LIMIT,
  STATES,
  warning,
} from '../health/diagnosis.ts';
import { checkHosts } from '../health/hosts.ts';
import { judgeReplication } from '../health/replication.ts';
import { checkPresented, checkServing } from '../health/serving.ts';
import { checkCluster, checkDirectory, judgeMails } from '../health/storage.ts';
import { countMails } from '../notices/waiting.ts';
import { pairStatus } from '../replication/status.ts';
import { type CheckResult, checkSettings } from '../setup/check.ts';
import { checkTls } from '../setup/check-tls.ts';
import { readChain } from '../tls/pair.ts';
import { withServerDatabase } from './database.ts';
import { siteOf } from './pair.ts';

const NO_FAULTS = 'no faults; certificate and key are judged below';

/** Certificate and key have a line of their own. */
async function checkWithoutTls(confdir: string): Promise<Finding> {
  let found: CheckResult;
  try {
    found = await checkSettings(confdir);
  } catch (error) {
    // It is there, and is not even JSON.
    if (!(error instanceof KeyTrusteeError)) throw error;
    return critical(error.message, error.hint ?? 'ktadmin config check');
  }
  const { faults, warnings } = found;
  if (faults.length > 0) return critical(faults.join('; '), 'ktadmin config check');
  return warnings.length === 0 ? fine(NO_FAULTS) : warning(warnings.join('; '), 'ktadmin config check');
}

/** The server is asked once, and not waited for longer than a look takes. */
function serverState(confdir: string): () => Promise<ServerState | undefined> {
  const asked = askServer(confdir, 'state', LOOK_LIMIT - 500);
  // Where this fails, every look that needs it says so.
  asked.catch(() => undefined);
  return async () => (await asked)?.value;
}

const STOPS =
  'when nothing is free this passive server stops, and changes that wait for it are refused on the active one';
const UNRECORDED = 'what is read is recorded there, and reads end when nothing is free';

/** What a passive server with little space is in for; it takes no deposits anyway. */
async function ofPassive(source: Source, consequence: string): Promise<string | undefined> {
  if (isExternal(source)) return undefined;
  const node = await readNode(source).catch(() => undefined);
  return node?.role === 'passive' ? consequence : undefined;
}

/** What is looked at of the private cluster alone: where others run the database, replication and free space are theirs. */
function ownChecks(settings: Settings, source: Source): Record<'replication' | 'storage', Check[]> {
  if (isExternal(source)) return { replication: [], storage: [] };
  const pair = async () => judgeReplication((await pairStatus(siteOf(settings))).remarks);
  const space = async () =>
    checkDirectory(source.root, settings.configuration.FREE_SPACE_MEGABYTES, await ofPassive(source, STOPS));
  return {
    replication: [{ name: 'replication', look: pair }],
    storage: [{ name: 'storage', look: space }],
  };
}

/** Everything that is looked at; of settings that cannot be read, how they are broken. */
export function checksOf(confdir: string, settings: Settings | undefined): Check[] {
  const others = { name: 'settings', look: () => checkWithoutTls(confdir) };
  if (settings === undefined) return [others];
  const source = sourceOf(settings);
  const own = ownChecks(settings, source);
  const { EXTERNAL_ADDRESS, FREE_SPACE_MEGABYTES: floor } = settings.configuration;
  const auditPlace = auditDirectory(confdir, settings.configuration);
  const chain = () => readChain(settings.configuration);
  const state = serverState(confdir);
  const mails = () => withServerDatabase(settings, (database) => countMails(database, 'given-up'));
  return [
    others,
    {
      name: 'certificate',
      look: async () => {
        const found = await checkTls(settings.configuration);
        return judgeCertificate(await chain().catch(() => []), found);
      },
    },
    {
      name: 'presented',
      look: async () => checkPresented(await state(), EXTERNAL_ADDRESS, await chain()),
    },
    { name: 'server', look: () => checkServing(state) },
    { name: 'database', look: () => (isExternal(source) ? checkHosts(source) : checkCluster(source)) },
    ...own.replication,
    { name: 'mail', look: async () => judgeMails(await mails()) },
    {
      name: 'audit',
      look: async () => checkDirectory(auditPlace, floor, await ofPassive(source, UNRECORDED)),
    },
    ...own.storage,
  ];
}

/** What stands behind a bar is numbers for a monitoring plugin's reader, and it reads the first line. */
const plain = (text: string) => text.replaceAll('|', '/').replace(/\s+/g, ' ');

/** A line for monitoring, then one for each check with what to do next. */
export function diagnosisLines({ state, checks }: Diagnosis): string {
  const bad = checks.filter((check) => check.state !== 'OK');
  const first = bad.find((check) => check.state === state);
  const what = first === undefined ? 'all is well' : `${first.name}: ${first.message}`;
  const count = `${checks.length} check${checks.length === 1 ? '' : 's'}, ${bad.length} not OK`;
  const widths = [STATES, checks.map(({ name }) => name)].map((words) =>
    Math.max(...words.map(({ length }) => length)),
  );
  const lines = checks.map(({ name, state: each, message, hint }) => {
    const next = hint === null ? '' : `; next: ${hint}`;
    return `${each.padEnd(widths[0] ?? 0)}  ${name.padEnd(widths[1] ?? 0)}  ${plain(message)}${next}\n`;
  });
  return `KEYTRUSTEE ${state} - ${plain(what)}; ${count}\n${lines.join('')}`;
}
