import * as z from 'zod/mini';
import { openSession } from '../../clients/open-session.ts';
import { refuseSlowly } from '../../clients/proof.ts';
import { sessionsOf } from '../../clients/session.ts';
import { proverOf } from '../prover.ts';
import { fingerprint, parse, words } from '../schema.ts';
import type { Routes } from '../services.ts';

/** A signed challenge, as requests carry it. */
export const signedChallenge = { challenge: words(512), signature: words(4096) };

const sessionRequest = z.object({ fingerprint, ...signedChallenge });

/** `POST /v1/challenges`: a text to sign. `POST /v1/sessions`: a session for whoever signed one. */
export const sessionRoutes: Routes = (app, services) => {
  const prover = proverOf(services);
  const sessions = sessionsOf(services.secret);
  app.post('/v1/challenges', (_request, reply) => reply.code(201).send(prover.challenges.make()));
  app.post('/v1/sessions', { config: { event: 'session.open' } }, (request, reply) =>
    refuseSlowly(async () => {
      const asked = parse(sessionRequest, request.body);
      const { pool, reader, trail } = services;
      const seconds = services.settings.configuration.SESSION_SECONDS;
      const opened = await openSession(
        { ...prover, pool, reader, trail, sessions, seconds },
        asked,
        request.ip,
      );
      return reply.code(201).send(opened);
    }),
  );
};
