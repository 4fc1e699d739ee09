import { confdirFiles } from '../../core/config.ts';
import { bareFingerprint, exportPublicKey } from '../../gpg/server-key.ts';
import type { Routes } from '../services.ts';

/** `GET /server-key.asc`: the server's public key, by which its mails are checked. GnuPG is asked once for it. */
export const serverKeyRoutes: Routes = (app, services) => {
  const exported = new Map<string, string>();
  app.get('/server-key.asc', async (_request, reply) => {
    const { confdir, configuration } = services.settings;
    const fingerprint = bareFingerprint(configuration.LOCAL_FINGERPRINT);
    const key = exported.get(fingerprint) ?? (await exportPublicKey(confdirFiles(confdir), fingerprint));
    exported.set(fingerprint, key);
    return reply
      .header('content-disposition', 'attachment; filename="keytrustee-server-key.asc"')
      .type('application/pgp-keys')
      .send(key);
  });
};
