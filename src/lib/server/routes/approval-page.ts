import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  type Approval,
  DECISIONS,
  type Decision,
  decideApproval,
  findApproval,
} from '../../clients/approval.ts';
import { Refusal } from '../../core/refusal.ts';
import type { AuditEvent } from '../../core/trail.ts';
import { withPooled } from '../../database/pool.ts';
import { LINK_PROBLEMS, type Words } from '../pages/problems.ts';
import { pageScope, refuseForm, sendPage, sendWords } from '../pages/reply.ts';
import { sayFingerprint, sayTime } from '../pages/words.ts';
import type { Routes, Services } from '../services.ts';

type Request = FastifyRequest<{
  Querystring: { q?: unknown; to?: unknown };
  Body: { decision?: unknown } | null;
}>;

const tokenOf = ({ query }: Request) => (typeof query.q === 'string' ? query.q : '');

function clientOf({ client }: Approval) {
  return {
    ...client,
    fingerprint: sayFingerprint(client.fingerprint),
    created: sayTime(client.created),
  };
}

const STATES = {
  pending: 'The machine still waits for a decision.',
  active: 'The machine may use the server.',
  disabled: 'The server refuses the machine.',
};
const UNDO = 'To change that, ask whoever looks after the server.';

/** Who decided what, and how the machine stands now. */
function decidedWords({ decision, client }: Approval): Words {
  const now = `${STATES[client.state]} ${UNDO}`;
  if (decision === null) {
    const text =
      'It was decided without a link from a mail: by a code, or by whoever looks after the server.';
    return { title: 'This is decided already', texts: [text, now] };
  }
  const { email, at } = decision;
  const title = decision.decision === 'approved' ? 'The machine is approved' : 'The machine is denied';
  return { title, texts: [`${email} ${decision.decision} it on ${sayTime(at)}.`, now] };
}

/** The page that a link leads to: a question, or what became of it. */
function show(
  { settings }: Services,
  request: Request,
  reply: FastifyReply,
  approval: Approval | undefined,
): Promise<FastifyReply> {
  const { EXTERNAL_ADDRESS: host } = settings.configuration;
  if (approval === undefined) return sendWords(reply, 404, LINK_PROBLEMS.unknown, host);
  if (approval.state === 'expired') return sendWords(reply, 410, LINK_PROBLEMS.expired, host);
  if (approval.state === 'stopped') return sendWords(reply, 403, LINK_PROBLEMS.stopped, host);
  const values = { host, client: clientOf(approval) };
  if (approval.state === 'decided')
    return sendPage(reply, 200, ['decided', { ...values, ...decidedWords(approval) }]);
  const action = `/approval?q=${encodeURIComponent(tokenOf(request))}`;
  const more = { action, wanted: request.query.to, expires: sayTime(approval.expires) };
  return sendPage(reply, 200, ['approval', { ...values, ...more }]);
}

function reasonOf(approval: Approval | undefined): string {
  if (approval === undefined) return 'the link is unknown';
  return approval.state === 'stopped' ? 'the organization is stopped' : `the link is ${approval.state}`;
}

/** What the audit trail holds of a decision that came too late, or by a link that is none. */
function refusal(request: Request, decision: Decision, approval: Approval | undefined): AuditEvent {
  return {
    event: decision === 'approved' ? 'client.approve' : 'client.deny',
    who: approval === undefined ? 'unknown' : `contact:${approval.email}`,
    from: request.ip,
    what: approval === undefined ? {} : { client: approval.client.fingerprint },
    outcome: 'refused',
    reason: reasonOf(approval),
  };
}

async function decide({ pool, trail }: Services, request: Request): Promise<Approval | undefined> {
  const decision = DECISIONS.find((word) => word === request.body?.decision);
  if (decision === undefined) throw new Refusal('invalid_request');
  const token = tokenOf(request);
  return withPooled(pool, async (database) => {
    const before = await decideApproval(database, trail, request.ip, { token, decision });
    if (before?.state !== 'open') await trail.note(refusal(request, decision, before));
    return findApproval(database, token);
  });
}

/**
 * `/approval?q=TOKEN`: the page on which a contact approves or denies a client; `&to=approve` and `&to=deny` say which
 * link of the mail was followed. Only a POST changes anything.
 */
export const approvalPageRoutes: Routes = (app, services) =>
  pageScope(app, services, (scope) => {
    scope.get('/approval', { exposeHeadRoute: true }, async (request: Request, reply) => {
      refuseForm(app);
      const token = tokenOf(request);
      const approval = await withPooled(services.pool, (database) => findApproval(database, token));
      return show(services, request, reply, approval);
    });
    scope.post('/approval', async (request: Request, reply) =>
      show(services, request, reply, await decide(services, request)),
    );
  });
