import { hash } from 'node:crypto';
import { failure } from '../core/errors.ts';
import { Refusal } from '../core/refusal.ts';
import { refuseMakeshift } from '../database/anywhere.ts';
import { withPooledTransaction } from '../database/pool.ts';
import { checkStanding, STANDING, type Standing } from '../database/standing.ts';
import { CLIENT, eventOf, type Owner, PRESENT, type Selector, type Vault } from './deposit.ts';

/** A deposit with what it holds. */
export interface Content {
  id: string;
  handle: string | null;
  sha256: Buffer;
  content: Buffer;
  /** How often it can be fetched after this; null: without limit. */
  retrievalsLeft: number | null;
}

interface Row {
  uuid: string;
  handle: string | null;
  sha256: Buffer;
  content: Buffer | null;
  retrievals_left: number | null;
}

type Found = { standing: Standing; fingerprint: string } & { [Name in keyof Row]: Row[Name] | null };

/** The client's standing and its deposit, whose content is left out where each retrieval is counted. */
const select = (column: 'uuid' | 'handle') => `
  select ${STANDING} as standing, client.fingerprint, deposit.uuid, deposit.handle, deposit.sha256, deposit.retrievals_left,
    case when deposit.retrievals_left is null then deposit.content end as content
  from ${CLIENT}
  left join public.deposit on deposit.client_id = client.id and deposit.${column} = $2 and ${PRESENT}`;

const SELECT = { uuid: select('uuid'), handle: select('handle') };

/** Takes one retrieval and gives the content, in one statement: however many ask at once, no more get it than may. */
const TAKE = `
  update public.deposit set retrievals_left = deposit.retrievals_left - 1,
    deleted_at = case when deposit.retrievals_left = 1 then now() end
  from ${CLIENT}
  where deposit.client_id = client.id and deposit.uuid = $2 and ${PRESENT} and ${STANDING} is null
  returning deposit.uuid, deposit.handle, deposit.sha256, deposit.retrievals_left, deposit.content`;

/** What the disk gave is what the client once sent, or nothing is given. */
async function checkDigest(vault: Vault, owner: Owner, { uuid, sha256, content }: Row): Promise<void> {
  if (content !== null && hash('sha256', content, 'buffer').equals(sha256)) return;
  const event = eventOf(owner, 'deposit.get', { deposit: uuid });
  await vault.trail.note({ ...event, outcome: 'failed', reason: 'damaged' });
  const hint = 'bring it back from a backup: ktadmin restore FILE --only';
  throw failure('failed', `deposit ${uuid} is damaged: its content does not fit its digest`, hint);
}

function toContent({ uuid, handle, sha256, content, retrievals_left }: Row): Content {
  return { id: uuid, handle, sha256, content: content as Buffer, retrievalsLeft: retrievals_left };
}

/** Gives a deposit whose retrievals are counted: this one is on the disk before it is answered. */
async function take(vault: Vault, owner: Owner, id: string): Promise<Content> {
  return withPooledTransaction(vault.pool, async (database) => {
    const { rows } = await database.query<Row>({
      name: 'deposit-take',
      text: TAKE,
      values: [owner.fingerprint, id],
    });
    const [row] = rows;
    if (row === undefined) throw new Refusal('not_found');
    await checkDigest(vault, owner, row);
    const what = { deposit: row.uuid, handle: row.handle, retrievalsLeft: row.retrievals_left };
    await vault.trail.change(eventOf(owner, 'deposit.get', what));
    return toContent(row);
  });
}

/** Many questions share a connection: were an answer ever another's, nobody would be given it. */
function checkOwn({ uuid, handle, ...found }: Found, { fingerprint }: Owner, selector: Selector): void {
  const isAsked = uuid === null || ('id' in selector ? uuid === selector.id : handle === selector.handle);
  if (found.fingerprint !== fingerprint || !isAsked)
    throw failure('bug', 'the database answered another question');
}

/** Gives one of a client's deposits. Those of others, and those that were deleted or have expired, are not there. */
export async function getDeposit(vault: Vault, owner: Owner, selector: Selector): Promise<Content> {
  const column = 'id' in selector ? 'uuid' : 'handle';
  const answer = await vault.reader.query<Found>({
    name: `deposit-get-${column}`,
    text: SELECT[column],
    values: [owner.fingerprint, 'id' in selector ? selector.id : selector.handle],
  });
  const [found] = answer.rows;
  if (found === undefined || found.uuid === null) refuseMakeshift(answer);
  checkStanding(found);
  checkOwn(found, owner, selector);
  if (found.uuid === null) throw new Refusal('not_found');
  const row = found as Row;
  if (row.retrievals_left !== null) return take(vault, owner, row.uuid);
  await checkDigest(vault, owner, row);
  await vault.trail.note(eventOf(owner, 'deposit.get', { deposit: row.uuid, handle: row.handle }));
  return toContent(row);
}
