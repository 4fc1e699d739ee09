import { createHash } from 'node:crypto';
import { failure } from '../core/errors.ts';
import { quote } from '../core/quote.ts';
import { readJson, refusal } from './answers.ts';
import type { Connection } from './connection.ts';
import type { Attempt, HttpAnswer, HttpRequest } from './http.ts';
import { type Course, outcomeOf } from './outcome.ts';
import { drop, type Parcel, parcelOf } from './pending.ts';
import { seal, unseal } from './seal.ts';
import type { Deposit, ListedDeposit, PutOptions, Retrieved } from './types.ts';

const PAGE = 1000;
const IDENTIFIER = /^[0-9A-Za-z]{43}$/;

const digestOf = (bytes: Uint8Array) => `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`;

/** Checks a handle before anything is done: an identifier could not be told from one. */
function checkHandle(text: string): string {
  const isFit = text !== '' && Buffer.byteLength(text) <= 255 && !/[\p{Cc}\p{Cs}]/u.test(text);
  if (!isFit) throw failure('usage', 'a handle has 1 to 255 bytes and no control characters');
  if (IDENTIFIER.test(text)) throw failure('usage', 'a handle must not look like an identifier');
  return text;
}

/** Where a deposit is, by its identifier or by its handle. */
function placeOf(name: string): string {
  return IDENTIFIER.test(name)
    ? `/v1/deposits/${name}`
    : `/v1/handles/${encodeURIComponent(checkHandle(name))}`;
}

function unlessRefused({ peer }: Attempt, answer: HttpAnswer): HttpAnswer {
  if (answer.status < 200 || answer.status > 299) throw refusal(peer, answer);
  return answer;
}

function putRequest({ putKey, sealed }: Parcel, { handle, ttl, retrievals }: PutOptions): HttpRequest {
  const query = Object.entries({ handle, ttl, retrievals })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return {
    method: 'POST',
    path: `/v1/deposits${query.length === 0 ? '' : `?${query.join('&')}`}`,
    headers: {
      'content-type': 'application/octet-stream',
      'content-digest': digestOf(sealed),
      'idempotency-key': putKey,
    },
    body: sealed,
  };
}

function handleInUse(handle: string): Error {
  const message = `a deposit has the handle ${quote(handle)} already`;
  return failure('conflict', message, 'choose another handle, or delete that deposit first');
}

const statusOf = (error: unknown) => (error as { httpStatus?: number }).httpStatus ?? 0;

/** Sends a parcel, and keeps it while nobody knows whether it arrived, so that the next run asks for the same. */
async function sendParcel(
  connection: Connection,
  course: Course,
  parcel: Parcel,
  options: PutOptions,
): Promise<Deposit> {
  const sha256 = createHash('sha256').update(parcel.sealed).digest('hex');
  // The run that made it may have stored it.
  if (parcel.isOld) course.doubts += 1;
  try {
    const request = putRequest(parcel, options);
    const deposit = await connection.send({ request, course }, async (attempt, answer) =>
      readJson<Deposit>(attempt.peer, unlessRefused(attempt, answer)),
    );
    if (deposit.sha256 !== sha256) throw failure('untrusted', 'the server says it stored something else');
    await drop(parcel);
    return deposit;
  } catch (error) {
    // With a conflict the server knows that key, or another deposit has the handle: nothing else can come of it.
    if (statusOf(error) === 409 && parcel.isOld) course.doubts -= 1;
    if (statusOf(error) === 409 || outcomeOf(course) === 'nothing-written') await drop(parcel);
    throw error;
  }
}

/** Stores content. However often, and at however many servers, it has to be sent, it is stored once. */
export async function put(
  connection: Connection,
  course: Course,
  content: Uint8Array,
  options: PutOptions,
): Promise<Deposit> {
  const { files, key } = connection;
  const { handle } = options;
  if (handle !== undefined) checkHandle(handle);
  const parcelNow = () => parcelOf(files, key, { content, options }, () => seal(key, content, handle));
  try {
    const parcel = await parcelNow();
    return await sendParcel(connection, course, parcel, options).catch(async (error: unknown) => {
      // What an earlier run stored has been deleted, used up or has expired since: this is another deposit.
      if (!parcel.isOld || statusOf(error) !== 409) throw error;
      return sendParcel(connection, course, await parcelNow(), options);
    });
  } catch (error) {
    throw statusOf(error) === 409 && handle !== undefined ? handleInUse(handle) : error;
  }
}

function headerOf({ headers }: HttpAnswer, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

/** Fetches, decrypts and verifies a deposit. */
export async function get(connection: Connection, name: string): Promise<Retrieved> {
  const request: HttpRequest = { method: 'GET', path: placeOf(name) };
  const answer = await connection.send({ request }, async (attempt, each) => {
    const { body } = unlessRefused(attempt, each);
    if (headerOf(each, 'content-digest') !== digestOf(body))
      throw failure('untrusted', `what ${attempt.peer.url} sent does not have the digest that it says`);
    return each;
  });
  const encoded = headerOf(answer, 'deposit-handle');
  const handle = encoded === null ? null : decodeURIComponent(encoded);
  const isAsked = IDENTIFIER.test(name) ? headerOf(answer, 'deposit-id') === name : handle === name;
  if (!isAsked) throw failure('untrusted', 'the server sent another deposit than the one that was asked for');
  const left = headerOf(answer, 'deposit-retrievals-left');
  return {
    id: headerOf(answer, 'deposit-id') ?? '',
    handle,
    content: await unseal(connection.key, answer.body, handle),
    retrievalsLeft: left === null ? null : Number(left),
  };
}

/** Lists the client's own deposits, all of them, the oldest first; or those that were deleted. */
export async function list(connection: Connection, deleted: boolean): Promise<ListedDeposit[]> {
  const all: ListedDeposit[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const more = after === '' ? '' : `&after=${encodeURIComponent(after)}`;
    const path = `/v1/deposits?limit=${PAGE}&deleted=${deleted}${more}`;
    const request: HttpRequest = { method: 'GET', path };
    const page: { deposits: ListedDeposit[]; next: string | null } = await connection.send(
      { request },
      async (attempt, answer) => readJson(attempt.peer, unlessRefused(attempt, answer)),
    );
    all.push(...page.deposits);
    after = page.next;
  }
  return all;
}

/** Deletes a deposit. Where an answer was lost, "there is none" means that it is done. */
export async function remove(connection: Connection, course: Course, name: string): Promise<void> {
  const request: HttpRequest = { method: 'DELETE', path: placeOf(name) };
  await connection.send({ request, course }, async (attempt, answer) => {
    const isDone = answer.status === 404 && outcomeOf(course) === 'unknown';
    if (!isDone) unlessRefused(attempt, answer);
  });
}

/** Brings a deleted deposit back. */
export async function recover(connection: Connection, course: Course, id: string): Promise<Deposit> {
  if (!IDENTIFIER.test(id))
    throw failure(
      'usage',
      'a deleted deposit is named by its identifier',
      'keytrustee list --deleted has it',
    );
  const request: HttpRequest = { method: 'POST', path: `/v1/deposits/${id}/recovery` };
  return connection.send({ request, course }, async (attempt, answer) =>
    readJson<Deposit>(attempt.peer, unlessRefused(attempt, answer)),
  );
}
