import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import type { Account } from '../../core/account.ts';
import { environment } from '../../core/config.ts';
import { failure } from '../../core/errors.ts';
import { exists } from '../../core/files.ts';
import { quote } from '../../core/quote.ts';
import { keyringOf } from '../../gpg/keyring.ts';
import { prepareOutput } from '../output.ts';
import { cronFile } from './cron.ts';
import { carryOut, type PlannedFile, planFile } from './files.ts';
import { type Interval, timesOf } from './intervals.ts';
import { type Rehearsal, rehearse } from './rehearse.ts';
import type { ScheduledRun } from './run.ts';
import { serviceUnit, timerUnit } from './systemd.ts';

/** What is to be scheduled, and where. */
export interface ScheduleRequest {
  every: Interval;
  account: Account;
  confdir: string;
  recipients: string[];
  output: string;
  roll: number | undefined;
  metricsFile: string | undefined;
  as: 'cron' | 'systemd';
  /** Below which directory the files are written. */
  root: string;
  /** Node, the program, and the words for `backup`. */
  program: string[];
}

const CRON = 'etc/cron.d/keytrustee-backup';
const SERVICE = 'etc/systemd/system/keytrustee-backup.service';
const TIMER = 'etc/systemd/system/keytrustee-backup.timer';

/** Variables that are in force now and will not be by themselves at night. */
function keptVariables(): Record<string, string> {
  const { gnupgHome, pgBindir } = environment;
  return {
    ...(gnupgHome === undefined ? {} : { GNUPGHOME: gnupgHome }),
    ...(pgBindir === undefined ? {} : { PG_BINDIR: pgBindir }),
  };
}

const metricsWords = (file: string | undefined) => (file === undefined ? [] : [`--metrics-file=${file}`]);

/** What the scheduled run will find, as it will find it. */
async function rehearseRun(request: ScheduleRequest): Promise<Rehearsal> {
  const { account, program, confdir, recipients, output, metricsFile } = request;
  const named = recipients.map((name) => `--gpg-recipient=${name}`);
  const words = [
    'schedule',
    '--rehearse',
    '--json',
    `--confdir=${confdir}`,
    `--output=${output}`,
    ...named,
    ...metricsWords(metricsFile),
  ];
  return rehearse(account, [...program, ...words], keptVariables());
}

async function describeRun(request: ScheduleRequest): Promise<ScheduledRun> {
  const { every, account, confdir, output, roll, metricsFile, program } = request;
  const { recipients, clusterRoot } = await rehearseRun(request);
  return {
    times: timesOf(every, hostname()),
    account: account.name,
    words: [
      ...program,
      `--confdir=${confdir}`,
      ...recipients.map(({ fingerprint }) => `--gpg-recipient=${fingerprint}`),
      `--output=${output}`,
      ...(roll === undefined ? [] : [`--roll=${roll}`]),
      ...metricsWords(metricsFile),
      '--quiet',
    ],
    variables: keptVariables(),
    writes: [
      // The database hands its tables out through pipes beside it.
      ...[output, confdir, clusterRoot, await keyringOf(account)],
      ...(metricsFile === undefined ? [] : [dirname(metricsFile)]),
    ],
    notes: recipients.map(({ fingerprint, userId }) => `Encrypts to ${fingerprint} ${quote(userId)}`),
  };
}

/** No crontab and no unit can hold these, and nobody means them. */
function checkNames({ program, confdir, output, metricsFile = '' }: ScheduleRequest): void {
  const strange = [...program, confdir, output, metricsFile].find((word) => /\p{Cc}/u.test(word));
  if (strange !== undefined) throw failure('usage', `${quote(strange)} has control characters in its name`);
}

/**
 * Plans the files of a schedule. One by the other keeper goes, or every backup would be made twice. Recipients are named
 * by their fingerprints: a second key of the same name, added later, changes nothing.
 */
export async function planSchedule(request: ScheduleRequest): Promise<PlannedFile[]> {
  checkNames(request);
  const run = await describeRun(request);
  const isCron = request.as === 'cron';
  return planAll(request.root, [
    [CRON, isCron ? cronFile(run) : undefined],
    [SERVICE, isCron ? undefined : serviceUnit(run)],
    [TIMER, isCron ? undefined : timerUnit(run)],
  ]);
}

/** Plans the removal of a schedule. */
export async function planRemoval(root: string): Promise<PlannedFile[]> {
  return planAll(root, [
    [TIMER, undefined],
    [SERVICE, undefined],
    [CRON, undefined],
  ]);
}

/** All of them are looked at before anything is changed; what is neither there nor wanted needs no mention. */
async function planAll(root: string, bodies: [string, string | undefined][]): Promise<PlannedFile[]> {
  const planned: PlannedFile[] = [];
  for (const [path, body] of bodies) planned.push(await planFile(join(root, path), body));
  return planned.filter(({ text, action }) => text !== undefined || action !== 'unchanged');
}

/** Makes the directory for the sets where it is missing, and writes and removes what was planned. */
export async function applySchedule(
  files: PlannedFile[],
  request: ScheduleRequest | undefined,
): Promise<void> {
  if (request !== undefined && !(await exists(request.output))) {
    await prepareOutput(request.output, request.confdir, request.account);
    // Only now it shows whether the account can reach it.
    await rehearseRun(request);
  }
  for (const file of files) await carryOut(file);
}

/** What a person has to do so that systemd knows of a change; cron needs nobody. */
export function nextSteps(files: PlannedFile[]): string[] {
  const name = 'keytrustee-backup.timer';
  const units = files.filter(({ path, action }) => path.includes('/systemd/') && action !== 'unchanged');
  if (units.length === 0) return [];
  if (units.some(({ action }) => action === 'write'))
    return ['systemctl daemon-reload', `systemctl enable ${name}`, `systemctl restart ${name}`];
  return [`systemctl stop ${name}`, `systemctl disable ${name}`, 'systemctl daemon-reload'];
}
