import type { Actor } from '../core/trail.ts';
import { keepPurging } from '../deposits/purge.ts';
import type { App, Services } from './services.ts';

/** Has deposits whose time is over removed as long as the server runs, by the first of its processes. */
export function usePurging(app: App, services: Services): void {
  if (services.worker !== 1) return;
  const actor: Actor = { who: `account:${services.settings.account.name}`, from: 'local' };
  const days = () => services.settings.configuration.DEPOSIT_RECOVERY_DAYS;
  let stop = () => Promise.resolve();
  app.addHook('onListen', async () => {
    stop = keepPurging(services, actor, days, (error) => {
      services.log.error({ err: error }, 'deposits whose time is over could not be purged');
    });
  });
  app.addHook('onClose', () => stop());
}
