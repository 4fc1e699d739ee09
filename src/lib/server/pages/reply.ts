import type { FastifyReply, FastifyRequest } from 'fastify';
import { load } from '../../core/lazy.ts';
import { Refusal } from '../../core/refusal.ts';
import type { App, Services } from '../services.ts';
import { PAIR_PROBLEMS, statusProblem, type Words } from './problems.ts';
import { renderPage } from './render.ts';

/** No scripts, nothing from elsewhere, in nobody's frame; forms go to this server alone. */
const POLICY =
  "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

function setHeaders(reply: FastifyReply): void {
  reply.headers({
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
    'x-robots-tag': 'noindex, nofollow',
  });
  reply.type('text/html; charset=utf-8');
}

/** Answers with a page. */
export async function sendPage(
  reply: FastifyReply,
  status: number,
  [template, values]: Parameters<typeof renderPage>,
): Promise<FastifyReply> {
  const html = await renderPage(template, values);
  setHeaders(reply);
  return reply.code(status).send(html);
}

/** Answers with a page that only says something. */
export function sendWords(
  reply: FastifyReply,
  status: number,
  words: Words,
  host: string,
): Promise<FastifyReply> {
  return sendPage(reply, status, ['message', { ...words, host }]);
}

/**
 * Whether a form was sent by one of these pages. The token in the link is what gives the right to send it, so this is a
 * second lock: with `no-referrer` browsers say `Origin: null`, and tell where it comes from by `Sec-Fetch-Site`.
 */
function isFromHere({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  const { origin } = headers;
  return origin === undefined || origin === 'null' || origin === `https://${headers.host}`;
}

/** Words for an answer that is an error in JSON. */
function problemOf(status: number, payload: string): Words {
  const { error } = JSON.parse(payload) as { error: { code: string } };
  return PAIR_PROBLEMS[error.code] ?? statusProblem(status);
}

/**
 * Refuses to show a form that this server could not take: it is the passive one, or fenced. A form that is sent is refused by
 * the database itself.
 */
export function refuseForm(app: App): void {
  const { role, refusal } = app.position() ?? {};
  if (refusal != null && (role === 'passive' || role === 'fenced')) throw new Refusal(refusal);
}

/**
 * Opens a scope for pages: forms are read, those of other sites are refused, and every error, also one that the limits of
 * the server raise, is told in a page.
 */
export async function pageScope(app: App, services: Services, routes: (scope: App) => void): Promise<void> {
  const { default: multipart } = await load('multipart');
  const { default: formbody } = await load('formbody');
  await app.register(async (scope: App) => {
    await scope.register(formbody);
    await scope.register(multipart, { throwFileSizeLimit: false });
    scope.addHook('onRequest', async (request) => {
      if (request.method === 'POST' && !isFromHere(request)) throw new Refusal('invalid_request');
    });
    scope.addHook('onSend', async (_request, reply, payload) => {
      const type = String(reply.getHeader('content-type'));
      if (reply.statusCode < 400 || !type.startsWith('application/json')) return payload;
      reply.removeHeader('content-length');
      setHeaders(reply);
      const { EXTERNAL_ADDRESS: host } = services.settings.configuration;
      return renderPage('message', { ...problemOf(reply.statusCode, String(payload)), host });
    });
    routes(scope);
  });
}
