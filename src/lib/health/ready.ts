import { failure } from '../core/errors.ts';
import { leastFree, MEBIBYTE, type RoomPlaces } from '../core/room.ts';
import { type Databases, queryAnywhere } from '../database/anywhere.ts';
import { POSITION, type Position } from '../database/position.ts';
import type { KeyringFiles } from '../gpg/program.ts';
import { clearSign } from '../gpg/signature.ts';

/** How long it is believed that the key can sign, and how long that it cannot; milliseconds. GnuPG takes a while. */
const GOOD_FOR = 60_000;
const BAD_FOR = 5000;

/** No check takes longer; milliseconds. */
const LIMIT = 5000;

/** What a server needs to serve, and whether it has that now. */
export interface Readiness {
  ready: boolean;
  /** Null where the database does not answer. */
  role: Position['role'] | null;
  writes: boolean;
  /** Why it takes no writes. */
  reason?: string;
  checks: Record<'database' | 'key' | 'audit', 'ok' | 'failed'>;
  /** There where less is free than FREE_SPACE_MEGABYTES asks for: the other server of a pair warns of it. */
  space?: 'low';
}

/** What is looked at. Each rejects where it is not well. */
export interface Checks {
  database(): Promise<Position>;
  key(): Promise<unknown>;
  audit(): Promise<unknown>;
  space(): Promise<unknown>;
}

/** Whether as much is free as the settings ask for; `floor` in mebibytes. */
export async function checkSpace(places: RoomPlaces, floor: number): Promise<void> {
  if ((await leastFree(places)) < floor * MEBIBYTE) throw failure('failed', 'there is little space left');
}

/** Whether the database answers a query, and what the server is in its pair. */
export async function checkDatabase(databases: Databases): Promise<Position> {
  const { rows } = await queryAnywhere<Position>(databases, POSITION);
  const [position] = rows;
  if (position === undefined) throw failure('bug', 'the database gave no row');
  return position;
}

/** Makes the check whether the server's key can sign: by GnuPG, and not more often than once a minute. */
export function keyCheck(files: KeyringFiles, fingerprint: () => string): () => Promise<void> {
  let known: { until: number; answer: Promise<void> } | undefined;
  return () => {
    if (known !== undefined && performance.now() < known.until) return known.answer;
    const answer = clearSign(files, fingerprint(), 'health\n').then(() => undefined);
    const mine = { until: performance.now() + GOOD_FOR, answer };
    answer.catch(() => {
      mine.until = performance.now() + BAD_FOR;
    });
    known = mine;
    return answer;
  };
}

async function passes(check: () => Promise<unknown>): Promise<'ok' | 'failed'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'failed'>((resolve) => {
    timer = setTimeout(() => resolve('failed'), LIMIT);
  });
  const done = check().then(
    () => 'ok' as const,
    () => 'failed' as const,
  );
  const answer = await Promise.race([done, late]);
  clearTimeout(timer);
  return answer;
}

/** What a server is in its pair, and whether it takes writes. */
function standing(position: Position | undefined, canWrite: boolean) {
  const reason = position?.refusal ?? (canWrite ? undefined : 'unavailable');
  const role = position?.role ?? null;
  return reason === undefined ? { role, writes: true } : { role, writes: false, reason };
}

/** Looks at everything at once. A fenced server is not ready: what it has is old, and it answers nothing with it. */
export async function checkReadiness(checks: Checks): Promise<Readiness> {
  let position: Position | undefined;
  const look = async () => {
    position = await checks.database();
  };
  const looks = [look, checks.key, checks.audit, checks.space].map(passes);
  const [database = 'failed', key = 'failed', audit = 'failed', space] = await Promise.all(looks);
  const isWell = [database, key, audit].every((answer) => answer === 'ok');
  return {
    ready: isWell && position?.role !== 'fenced',
    ...standing(position, database === 'ok' && audit === 'ok'),
    checks: { database, key, audit },
    ...(space === 'failed' ? { space: 'low' } : {}),
  };
}
