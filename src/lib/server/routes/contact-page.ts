import type { FastifyReply, FastifyRequest } from 'fastify';
import { shellWord } from '../../core/quote.ts';
import { withPooled } from '../../database/pool.ts';
import { KEY_FAULTS, type KeyFault } from '../../gpg/key-fault.ts';
import type { PublicKey } from '../../gpg/public-key.ts';
import { findInvitation, type Invitation, registerContactKey } from '../../organizations/invitation.ts';
import { type KeyForm, readKeyForm } from '../pages/key-form.ts';
import { KEY_PROBLEMS, LINK_PROBLEMS } from '../pages/problems.ts';
import { pageScope, refuseForm, sendPage, sendWords } from '../pages/reply.ts';
import { sayFingerprint, sayTime } from '../pages/words.ts';
import type { Routes, Services } from '../services.ts';
import { sendFingerprint } from './fingerprint.ts';

type Request = FastifyRequest<{ Querystring: { a?: unknown; q?: unknown } }>;

/** One visit of the page: by which link, and what it leads to. */
interface Visit {
  services: Services;
  reply: FastifyReply;
  token: string;
  invitation: Invitation;
}

/** Writes into the audit trail that a form was not taken; of the form itself nothing. */
function noteRefusal(services: Services, request: Request, reason: string, invitation?: Invitation) {
  const { email: contact, organization } = invitation ?? {};
  return services.trail.note({
    event: 'contact.key',
    who: contact === undefined ? 'unknown' : `contact:${contact}`,
    from: request.ip,
    what: contact === undefined || organization === undefined ? {} : { organization, contact },
    outcome: 'refused',
    reason,
  });
}

function common({ services, token, invitation }: Visit) {
  const { EXTERNAL_ADDRESS, LOCAL_FINGERPRINT } = services.settings.configuration;
  return {
    host: EXTERNAL_ADDRESS,
    action: `/?q=${encodeURIComponent(token)}`,
    organization: invitation.organization,
    email: invitation.email,
    emailWord: shellWord(invitation.email),
    hasKey: invitation.publicKey !== null,
    expires: sayTime(invitation.expires),
    serverFingerprint: sayFingerprint(LOCAL_FINGERPRINT),
  };
}

function showForm(visit: Visit, fault?: KeyFault): Promise<FastifyReply> {
  const problem = fault && KEY_PROBLEMS[fault];
  return sendPage(visit.reply, fault === undefined ? 200 : 422, ['key-form', { ...common(visit), problem }]);
}

function showKey(visit: Visit, key: PublicKey): Promise<FastifyReply> {
  const address = visit.invitation.email.toLowerCase();
  const shown = {
    armored: key.armored,
    algorithm: key.algorithm,
    encryption: key.encryption,
    fingerprint: sayFingerprint(key.fingerprint),
    userIds: key.userIds,
    created: sayTime(key.created),
    expires: key.expires === undefined ? 'it has no end' : sayTime(key.expires),
  };
  const isStranger = !key.userIds.some((userId) => userId.toLowerCase().includes(address));
  return sendPage(visit.reply, 200, ['key-confirm', { ...common(visit), key: shown, isStranger }]);
}

/** Says what became of a link that can no longer be used. */
function showClosed({ services, reply, invitation }: Visit): Promise<FastifyReply> {
  const { EXTERNAL_ADDRESS: host } = services.settings.configuration;
  if (invitation.state === 'expired') return sendWords(reply, 410, LINK_PROBLEMS.expired, host);
  const texts = [
    `A key was registered for ${invitation.email} on ${sayTime(invitation.used ?? new Date())}, and the link worked once. If that was you, there is nothing left to do.`,
    'If it was not you, tell whoever looks after the server at once. They also send you a new link when you need one.',
  ];
  return sendWords(reply, 410, { title: 'This link has been used', texts }, host);
}

/** Stores a key that was shown and confirmed. Between the two the link may have been used, or have expired. */
async function register(visit: Visit, request: Request, key: PublicKey): Promise<FastifyReply> {
  const { services, token } = visit;
  const found = await withPooled(services.pool, (database) =>
    registerContactKey(database, services.trail, request.ip, { token, key }),
  );
  if (found === undefined) return sendWords(visit.reply, 404, LINK_PROBLEMS.unknown, common(visit).host);
  if (found.state !== 'open') {
    await noteRefusal(services, request, `the link is ${found.state}`, found);
    return showClosed({ ...visit, invitation: found });
  }
  const fingerprint = sayFingerprint(key.fingerprint);
  return sendPage(visit.reply, 200, ['key-done', { ...common(visit), fingerprint }]);
}

async function takeForm(visit: Visit, request: Request, form: KeyForm): Promise<FastifyReply> {
  const checked = await visit.services.keys.check(form.key);
  if ('fault' in checked) {
    await noteRefusal(visit.services, request, KEY_FAULTS[checked.fault], visit.invitation);
    return showForm(visit, checked.fault);
  }
  return form.isConfirmed ? register(visit, request, checked.key) : showKey(visit, checked.key);
}

/** Follows a link: what it leads to, or a page that says that it leads nowhere. */
async function follow(
  services: Services,
  request: Request,
  reply: FastifyReply,
  show: (visit: Visit) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const { q } = request.query;
  const token = typeof q === 'string' ? q : '';
  const invitation = await withPooled(services.pool, (database) => findInvitation(database, token));
  const state = invitation?.state ?? 'unknown';
  if (state !== 'open' && request.method === 'POST')
    await noteRefusal(services, request, `the link is ${state}`, invitation);
  const { EXTERNAL_ADDRESS: host } = services.settings.configuration;
  if (invitation === undefined) return sendWords(reply, 404, LINK_PROBLEMS.unknown, host);
  const visit = { services, reply, token, invitation };
  return invitation.state === 'open' ? show(visit) : showClosed(visit);
}

/**
 * `/?q=TOKEN`: the page on which a contact registers a public key. Only a POST that confirms a key changes anything.
 * `/?a=fingerprint` is answered at the same path, as the original product has it.
 */
export const contactPageRoutes: Routes = (app, services) =>
  pageScope(app, services, (scope) => {
    scope.get('/', { exposeHeadRoute: true }, async (request: Request, reply) => {
      if (request.query.a === 'fingerprint') return sendFingerprint(services, reply);
      if (request.query.q === undefined) return reply.callNotFound();
      refuseForm(app);
      return follow(services, request, reply, (visit) => showForm(visit));
    });
    scope.post('/', async (request: Request, reply) =>
      follow(services, request, reply, async (visit) => takeForm(visit, request, await readKeyForm(request))),
    );
  });
