import { setTimeout as delay } from 'node:timers/promises';
import { isNoWriter } from '../core/refusal.ts';
import { queueExpiryNotices } from '../notices/certificate.ts';
import { nextExpiry } from '../tls/expiry.ts';
import type { Services } from './services.ts';
import type { Started } from './started.ts';

/** Milliseconds between two looks, and until the next one where the database could not be asked. */
const HOUR = 3_600_000;
const MINUTE = 60_000;

/** A stop waits no longer for a database that hangs; milliseconds. */
const STOP_LIMIT = 5000;

/** Has the administrators told, where the certificate that is presented expires soon and mail is sent at all. */
async function look(services: Services): Promise<void> {
  const { settings, chain, pool, trail, log } = services;
  const expiry = nextExpiry(chain);
  if (expiry?.isNear !== true || settings.configuration.MAIL_TRANSPORT === 'none') return;
  const actor = { who: `account:${settings.account.name}`, from: 'local' };
  const mails = await queueExpiryNotices(pool, { trail, actor }, expiry);
  if (mails > 0) log.warn({ mails }, `a certificate ${expiry.words}: the administrators get mail`);
}

/**
 * Looks at the certificate when the server starts, after each reload and every hour, beside the requests. For one process of
 * a server; several servers do no harm.
 */
export function watchExpiry(services: Services): Started {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();
  let isOver = false;
  const again = (pause: number) => {
    clearTimeout(timer);
    if (!isOver) timer = setTimeout(begin, pause).unref();
  };
  const failed = (error: unknown) => {
    // The active server tells for both; this one may become it.
    if (isNoWriter(error)) return again(MINUTE);
    services.log.warn({ err: error }, 'the administrators could not be told that a certificate expires');
    again(MINUTE);
  };
  const begin = () => {
    running = running.then(() => look(services)).then(() => again(HOUR), failed);
  };
  begin();
  return {
    reloaded: begin,
    async stop() {
      isOver = true;
      clearTimeout(timer);
      await Promise.race([running, delay(STOP_LIMIT, undefined, { ref: false })]);
    },
  };
}
