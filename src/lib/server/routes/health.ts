import { confdirFiles } from '../../core/config.ts';
import { bareFingerprint } from '../../gpg/server-key.ts';
import { checkDatabase, checkReadiness, checkSpace, keyCheck } from '../../health/ready.ts';
import { RETRY_AFTER } from '../limits.ts';
import type { Routes } from '../services.ts';

/**
 * `GET /v1/health/live`: the process answers. `GET /v1/health/ready`: it can serve, because the database answers, the
 * server's key can sign and the audit trail can be written.
 */
export const healthRoutes: Routes = (app, services) => {
  const { confdir } = services.settings;
  const fingerprint = () => bareFingerprint(services.settings.configuration.LOCAL_FINGERPRINT);
  const checks = {
    database: () => checkDatabase(services),
    key: keyCheck(confdirFiles(confdir), fingerprint),
    audit: () => services.trail.check(),
    space: () => checkSpace(services.room.places, services.settings.configuration.FREE_SPACE_MEGABYTES),
  };
  app.get('/v1/health/live', async () => ({ live: true }));
  app.get('/v1/health/ready', async (_request, reply) => {
    const readiness = await checkReadiness(checks);
    if (!readiness.ready) reply.code(503).header('retry-after', RETRY_AFTER);
    return readiness;
  });
};
