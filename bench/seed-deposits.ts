/**
 * The program behind bench/seed-deposits. It stands outside src/, for it is no part of the product; the build puts it
 * into dist/bench/, which is not published, because it needs the product's own functions and there is nothing here that
 * runs TypeScript.
 */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { addClient, setClientState } from '../src/lib/clients/client.ts';
import { readConfiguration } from '../src/lib/core/configuration.ts';
import { explain, failure, STATUS } from '../src/lib/core/errors.ts';
import { ownerOf } from '../src/lib/core/ownership.ts';
import { dropPrivileges } from '../src/lib/core/privileges.ts';
import { randomToken } from '../src/lib/core/random.ts';
import type { Reporter } from '../src/lib/core/reporter.ts';
import type { Recorder } from '../src/lib/core/trail.ts';
import { clusterAt } from '../src/lib/database/cluster.ts';
import { type Database, withDatabase, withTransaction } from '../src/lib/database/connection.ts';
import { addOrganization } from '../src/lib/organizations/add.ts';

const USAGE = 'bench/seed-deposits --confdir DIR --deposits N';
const ORGANIZATION = 'seed';
/** Bytes of a deposit; rows of one statement. */
const SIZE = 1024;
const BATCH = 500;

const silent: Reporter = { log: () => undefined, step: (_text, work) => work() };

function readArguments(argv: string[]): { confdir: string; deposits: number } {
  const options = { confdir: { type: 'string' }, deposits: { type: 'string' } } as const;
  let values: { confdir?: string; deposits?: string };
  try {
    values = parseArgs({ args: argv, options, strict: true }).values;
  } catch (error) {
    throw failure('usage', (error as Error).message, USAGE);
  }
  const { confdir, deposits } = values;
  if (confdir === undefined || deposits === undefined)
    throw failure('usage', '--confdir and --deposits are both needed', USAGE);
  if (!/^\d{1,9}$/.test(deposits)) throw failure('usage', '--deposits: not a whole number', USAGE);
  return { confdir: resolve(confdir), deposits: Number(deposits) };
}

/** A bench keeps no audit trail. */
const nobody: Recorder = {
  trail: { change: async () => undefined, note: async () => undefined },
  actor: { who: 'unknown', from: 'local' },
};

/** An active client of this run's own, by the functions that also the server will use. */
async function makeClient(database: Database): Promise<string> {
  await addOrganization(database, ORGANIZATION, [], silent, nobody);
  const fingerprint = randomBytes(20).toString('hex').toUpperCase();
  const publicKey = '(made by bench/seed-deposits)';
  await addClient(database, { organization: ORGANIZATION, fingerprint, name: 'seed', publicKey });
  await setClientState(database, fingerprint, 'active', nobody);
  return fingerprint;
}

async function insertDeposits(database: Database, fingerprint: string, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, row) => `($${2 * row + 2}, $${2 * row + 3}::bytea)`);
  const values = Array.from({ length: count }, () => [randomToken(), randomBytes(SIZE)]).flat();
  await database.query(
    `insert into public.deposit (uuid, client_id, content, sha256)
     select given.uuid, client.id, given.content, sha256(given.content)
     from public.client, (values ${rows.join(', ')}) as given (uuid, content) where fingerprint = $1`,
    [fingerprint, ...values],
  );
}

async function seed(confdir: string, deposits: number): Promise<void> {
  const account = await ownerOf(confdir, (name) => `sudo -u ${name} ${USAGE}`);
  await dropPrivileges(account, ['pg']);
  const { PG_ROOTDIR, DB_PORT } = await readConfiguration(confdir);
  await withDatabase(clusterAt(PG_ROOTDIR, DB_PORT), async (database) => {
    const fingerprint = await makeClient(database);
    await withTransaction(database, async () => {
      for (let left = deposits; left > 0; left -= BATCH)
        await insertDeposits(database, fingerprint, Math.min(left, BATCH));
    });
    await database.query('analyze public.deposit');
  });
}

/** Runs it and returns the exit status. */
export async function main(argv: string[]): Promise<number> {
  try {
    const { confdir, deposits } = readArguments(argv);
    const start = performance.now();
    await seed(confdir, deposits);
    const seconds = (performance.now() - start) / 1000;
    console.log(`${deposits} deposits of ${SIZE} bytes in ${seconds.toFixed(1)} s`);
    return STATUS.done;
  } catch (thrown) {
    const { code, message, hint } = explain(thrown);
    console.error(`seed-deposits: error: ${message}`);
    if (hint !== undefined) console.error(`seed-deposits: hint: ${hint}`);
    return STATUS[code];
  }
}
