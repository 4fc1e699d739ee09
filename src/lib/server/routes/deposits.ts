import type { FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod/mini';
import { Refusal } from '../../core/refusal.ts';
import { checkHandle, MAX_CONTENT, type Owner, type Selector } from '../../deposits/deposit.ts';
import { getDeposit } from '../../deposits/get.ts';
import { listDeposits } from '../../deposits/list.ts';
import { putDeposit } from '../../deposits/put.ts';
import { deleteDeposit, recoverDeposit } from '../../deposits/remove.ts';
import { sessionOf } from '../authenticate.ts';
import { parse } from '../schema.ts';
import type { App, Routes, Services } from '../services.ts';

/** A whole number, as queries have it: as text. */
function whole(maximum: number) {
  const number = z.pipe(z.string().check(z.regex(/^[0-9]{1,10}$/)), z.transform(Number));
  return z.pipe(number, z.number().check(z.gte(1), z.lte(maximum)));
}

/** Ten years. */
const MAX_TTL = 315_360_000;
const MAX_RETRIEVALS = 2 ** 31 - 1;
const MAX_LISTED = 1000;

const ID = /^[0-9A-Za-z]{43}$/;

/** RFC 9530, section 2: a dictionary, of which one member is read. */
const DIGEST = /(?:^|,)[ \t]*sha-256=:([A-Za-z0-9+/]{43}=):[ \t]*(?:,|$)/;
const KEY = /^[0-9A-Za-z_-]{16,128}$/;

function ownerOf(request: FastifyRequest): Owner {
  const { fingerprint } = sessionOf(request);
  return { fingerprint, actor: { who: `client:${fingerprint}`, from: request.ip } };
}

/** What cannot be an identifier is not there, and is not asked of the database, which might take offence. */
function byId(id: string): { id: string } {
  if (!ID.test(id)) throw new Refusal('not_found');
  return { id };
}

const byHandle = (handle: string): Selector => ({ handle: checkHandle(handle) });

function headersOf({ headers }: FastifyRequest): { key: string; sha256: Buffer } {
  const key = headers['idempotency-key'];
  if (typeof key !== 'string' || !KEY.test(key))
    throw new Refusal('invalid_request', 'Idempotency-Key must be 16 to 128 letters, digits, - or _');
  const digest = headers['content-digest'];
  const sha256 = typeof digest === 'string' ? DIGEST.exec(digest)?.[1] : undefined;
  if (sha256 === undefined)
    throw new Refusal('invalid_request', 'Content-Digest must be sha-256=:BASE64: of the content');
  return { key, sha256: Buffer.from(sha256, 'base64') };
}

const PUT_QUERY = z.strictObject({
  handle: z.optional(z.string()),
  ttl: z.optional(whole(MAX_TTL)),
  retrievals: z.optional(whole(MAX_RETRIEVALS)),
});

/** The parser of queries takes bytes that are not UTF-8 for the text of their escapes, which would be another handle. */
function checkEscapes(url: string): void {
  try {
    decodeURIComponent(url);
  } catch {
    throw new Refusal('invalid_request', 'the query is not UTF-8');
  }
}

function putRoute(app: App, services: Services): void {
  const options = { onRequest: app.authenticate, config: { event: 'deposit.put' }, bodyLimit: MAX_CONTENT };
  app.post<{ Body: Buffer | undefined }>('/v1/deposits', options, async (request, reply) => {
    checkEscapes(request.url);
    const { handle = null, ttl = null, retrievals = null } = parse(PUT_QUERY, request.query);
    const wanted = {
      ...headersOf(request),
      content: request.body ?? Buffer.alloc(0),
      handle,
      ttl,
      retrievals,
    };
    const { deposit, isNew } = await putDeposit(services, ownerOf(request), wanted);
    return reply.code(isNew ? 201 : 200).send(deposit);
  });
}

async function sendContent(
  services: Services,
  request: FastifyRequest,
  reply: FastifyReply,
  which: Selector,
) {
  const found = await getDeposit(services, ownerOf(request), which);
  reply.header('content-type', 'application/octet-stream');
  reply.header('content-digest', `sha-256=:${found.sha256.toString('base64')}:`);
  reply.header('deposit-id', found.id);
  if (found.handle !== null) reply.header('deposit-handle', encodeURIComponent(found.handle));
  if (found.retrievalsLeft !== null) reply.header('deposit-retrievals-left', found.retrievalsLeft);
  return reply.send(found.content);
}

function getRoutes(app: App, services: Services): void {
  const options = { onRequest: app.authenticate, config: { event: 'deposit.get' } };
  app.get<{ Params: { id: string } }>('/v1/deposits/:id', options, (request, reply) =>
    sendContent(services, request, reply, byId(request.params.id)),
  );
  app.get<{ Params: { handle: string } }>('/v1/handles/:handle', options, (request, reply) =>
    sendContent(services, request, reply, byHandle(request.params.handle)),
  );
}

const LIST_QUERY = z.strictObject({
  limit: z._default(whole(MAX_LISTED), 100),
  after: z.optional(z.string().check(z.regex(ID))),
  deleted: z._default(z.enum(['true', 'false']), 'false'),
});

function listRoute(app: App, services: Services): void {
  const options = { onRequest: app.authenticate, config: { event: 'deposit.list' } };
  app.get('/v1/deposits', options, async (request) => {
    const { limit, after = null, deleted } = parse(LIST_QUERY, request.query);
    return listDeposits(services, ownerOf(request), { limit, after, deleted: deleted === 'true' });
  });
}

function removeRoutes(app: App, services: Services): void {
  const options = { onRequest: app.authenticate, config: { event: 'deposit.delete' } };
  app.delete<{ Params: { id: string } }>('/v1/deposits/:id', options, async (request, reply) => {
    await deleteDeposit(services, ownerOf(request), byId(request.params.id));
    return reply.code(204).send();
  });
  app.delete<{ Params: { handle: string } }>('/v1/handles/:handle', options, async (request, reply) => {
    await deleteDeposit(services, ownerOf(request), byHandle(request.params.handle));
    return reply.code(204).send();
  });
  const recover = { ...options, config: { event: 'deposit.recover' } };
  app.post<{ Params: { id: string } }>('/v1/deposits/:id/recovery', recover, async (request) => {
    const days = services.settings.configuration.DEPOSIT_RECOVERY_DAYS;
    return recoverDeposit(services, ownerOf(request), byId(request.params.id).id, days);
  });
}

/** Everything that clients do with their deposits. */
export const depositRoutes: Routes = async (app, services) => {
  await app.register(async (scope) => {
    const deposits = scope as App;
    deposits.removeAllContentTypeParsers();
    deposits.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    for (const routes of [putRoute, getRoutes, listRoute, removeRoutes]) routes(deposits, services);
  });
};
