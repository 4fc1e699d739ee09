import * as z from 'zod/mini';
import { refuseSlowly } from '../../clients/proof.ts';
import { type Registered, type Registrar, registerClient } from '../../clients/register.ts';
import { clientStatus } from '../../clients/status.ts';
import { sessionOf } from '../authenticate.ts';
import { type GuessGuard, guessGuard } from '../guessing.ts';
import { proverOf } from '../prover.ts';
import { parse, words } from '../schema.ts';
import type { Routes } from '../services.ts';
import { signedChallenge } from './sessions.ts';

/** Names are printed on terminals and in mails: no control characters; the database takes 255 bytes. */
const name = z.string().check(
  z.regex(/^[^\p{Cc}\p{Cs}]*$/u),
  z.refine((text) => Buffer.byteLength(text) <= 255),
);

const registration = z.object({
  organization: z.string().check(z.regex(/^[0-9A-Za-z_-]{1,128}$/)),
  name: z._default(name, ''),
  publicKey: words(16 * 1024),
  code: z._default(z.string().check(z.maxLength(1024)), ''),
  ...signedChallenge,
});

async function register(
  registrar: Registrar,
  guard: GuessGuard,
  body: unknown,
  from: string,
): Promise<Registered> {
  const asked = parse(registration, body);
  return guard.judge(from, () => registerClient(registrar, asked, from));
}

/** `POST /v1/clients`: registers a machine. `GET /v1/client`: what a client is told of itself. */
export const clientRoutes: Routes = (app, services) => {
  const { pool, trail, room } = services;
  const registrar = { ...proverOf(services), pool, trail, room };
  const guard = guessGuard();
  app.post('/v1/clients', { config: { event: 'client.register' } }, (request, reply) =>
    refuseSlowly(async () => {
      const { isNew, client } = await register(registrar, guard, request.body, request.ip);
      return reply.code(isNew ? 201 : 200).send(client);
    }),
  );
  const shown = { onRequest: app.authenticate, config: { event: 'client.show' } };
  app.get('/v1/client', shown, async (request) => {
    const { fingerprint } = sessionOf(request);
    const status = await clientStatus(services, fingerprint);
    const from = request.ip;
    await trail.note({ event: 'client.show', who: `client:${fingerprint}`, from, what: {}, outcome: 'done' });
    return status;
  });
};
