import type { FastifyReply, FastifyRequest } from 'fastify';
import { load } from '../../core/lazy.ts';
import { Refusal } from '../../core/refusal.ts';
import type { App, Services } from '../services.ts';
import { statusProblem, type Words } from './problems.ts';
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
      return renderPage('message', { ...statusProblem(reply.statusCode), host });
    });
    routes(scope);
  });
}
