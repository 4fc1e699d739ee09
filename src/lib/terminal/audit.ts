import { commandTrail, commandTrailOf } from '../audit/settings.ts';
import { type Account, currentAccount } from '../core/account.ts';
import { environment } from '../core/config.ts';
import type { Settings } from '../core/configuration.ts';
import { explain } from '../core/errors.ts';
import type { Actor, AuditEvent, Recorder } from '../core/trail.ts';
import type { Database } from '../database/connection.ts';
import { withServerDatabase } from './database.ts';

/** Whose command this is, asked before root becomes the service account; and who used sudo, as far as sudo says so. */
const CALLER = environment.handover ?? currentAccount().name;

/** A name that can stand in the trail. SUDO_USER can hold anything where sudo was not used. */
const NAME = /^[^\s\p{Cc}]{1,64}$/u;

function actor(): Actor {
  const { sudoUser } = environment;
  const behind = sudoUser !== undefined && NAME.test(sudoUser) ? ` sudo:${sudoUser}` : '';
  return { who: `account:${CALLER}${behind}`, from: 'local' };
}

/** Lends a connection to the server's database for a change, and what records it. */
export async function withRecordedDatabase<T>(
  settings: Settings,
  work: (database: Database, recorder: Recorder) => Promise<T>,
): Promise<T> {
  const recorder = { trail: commandTrail(settings), actor: actor() };
  return withServerDatabase(settings, (database) => work(database, recorder));
}

/** A server that an event of its own concerns: it may be made, or replaced, by this very command. */
export interface ConcernedServer {
  confdir: string;
  account: Account;
}

function endedAs(failed: unknown): Pick<AuditEvent, 'outcome' | 'reason'> {
  return failed === undefined ? { outcome: 'done' } : { outcome: 'failed', reason: explain(failed).message };
}

/** Records what is done to a server as a whole, before it is done. */
export async function recordServer(
  { confdir, account }: ConcernedServer,
  event: 'server.init' | 'server.restore' | 'ha.fenced',
  what: AuditEvent['what'],
  failed?: unknown,
): Promise<void> {
  const trail = await commandTrailOf(confdir, account);
  await trail.change({ event, ...actor(), what, ...endedAs(failed) });
}

/** Records a restore and does it; where it fails, that is recorded, too, as far as it can be. */
export async function recordedRestore<T>(
  server: ConcernedServer,
  what: AuditEvent['what'],
  work: () => Promise<T>,
): Promise<T> {
  await recordServer(server, 'server.restore', what);
  try {
    return await work();
  } catch (error) {
    await recordServer(server, 'server.restore', what, error).catch(() => undefined);
    throw error;
  }
}

/** What commands do to a pair of servers, by its name in the trail. */
export type PairEvent = 'ha.join' | 'ha.sync' | 'ha.promote' | 'ha.rejoin' | 'ha.end';

/** Records what is done to the pair that a server belongs to, before it is done; with `failed`, that it was not, and why. */
export async function recordPair(
  settings: Settings,
  event: PairEvent,
  what: AuditEvent['what'],
  failed?: unknown,
): Promise<void> {
  await commandTrail(settings).change({ event, ...actor(), what, ...endedAs(failed) });
}

/** What commands do to the TLS certificate, by its name in the trail. */
type CertificateEvent =
  | 'certificate.request'
  | 'certificate.self-sign'
  | 'certificate.rotate'
  | 'certificate.rollback';

/** Records what is done to the certificate of a server; with `failed`, that it was not, and why. */
async function recordCertificate(
  settings: Settings,
  event: CertificateEvent,
  what: AuditEvent['what'],
  failed?: unknown,
): Promise<void> {
  await commandTrail(settings).change({ event, ...actor(), what, ...endedAs(failed) });
}

/** Does something to the certificate of a server. `work` records it just before; where it fails then, that is recorded too. */
export async function recordedCertificate<T>(
  settings: Settings,
  event: CertificateEvent,
  work: (record: (what: AuditEvent['what']) => Promise<void>) => Promise<T>,
): Promise<T> {
  let recorded: AuditEvent['what'] | undefined;
  try {
    return await work(async (what) => {
      await recordCertificate(settings, event, what);
      recorded = what;
    });
  } catch (error) {
    if (recorded !== undefined)
      await recordCertificate(settings, event, recorded, error).catch(() => undefined);
    throw error;
  }
}

/** What records an exchange of the TLS certificate of a server. */
export function certificateRecorder(settings: Settings): Recorder {
  return { trail: commandTrail(settings), actor: actor() };
}
