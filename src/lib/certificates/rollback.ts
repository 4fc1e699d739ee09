import { failure } from '../core/errors.ts';
import { exists } from '../core/files.ts';
import { withLock } from '../core/lock.ts';
import type { Protocol } from '../tls/context.ts';
import { readPair } from '../tls/pair.ts';
import { exchange } from './exchange.ts';
import { isStillThere, type Kept, listKept } from './kept.ts';
import { settle } from './settle.ts';
import type { Outcome, Site, Wanted } from './site.ts';
import { checkAsServer, toldOf } from './wish.ts';

/** The pair to which a rollback goes: the newest that is kept. */
async function newestKept(store: string): Promise<Kept> {
  const [kept] = (await exists(store)) ? await listKept(store) : [];
  if (kept !== undefined) return kept;
  throw failure(
    'notFound',
    `no certificate is kept in ${store} to go back to`,
    'ktadmin cert rotate keeps the one that it replaces',
  );
}

/** What the exchange is told to do: the files that were in use then, where they still hold that pair, else the copies. */
export async function rollbackWanted({ store }: Site, protocol: Protocol): Promise<Wanted> {
  const kept = await newestKept(store);
  const isThere = await isStillThere(kept);
  const { SSL_PRIVATE_KEY_PASSWORD_SCRIPT: script, SSL_CERTIFICATE: path } = kept.settings;
  const [own] = (await readPair(kept.copies)).chain;
  if (own === undefined) throw failure('failed', `${kept.name} holds no certificate`);
  const told = toldOf(own);
  if (Date.parse(told.validTo) < Date.now()) {
    const message = `the certificate before, ${told.subject}, expired on ${told.validTo.slice(0, 10)}`;
    throw failure('untrusted', message, 'ktadmin cert rotate --cert FILE --key FILE puts another one to use');
  }
  const place = isThere && !path.startsWith(`${store}/`) ? 'in-place' : 'copied';
  return {
    ...{ event: 'certificate.rollback', told: { ...told, place, origin: 'kept' }, consumed: kept.name },
    pair: isThere ? { settings: kept.settings } : { contents: kept.contents, script },
    check: (files) => checkAsServer(files, protocol, own),
  };
}

/** Goes back to the pair that was in use before. What it replaces is kept, so that a second rollback goes forward again. */
export async function rollback(site: Site, protocol: Protocol): Promise<Outcome> {
  return withLock(site.confdir, 'certificate', async () => {
    const settled = await settle(site);
    if (settled?.event === 'certificate.rollback') return settled;
    return exchange(site, await rollbackWanted(site, protocol));
  });
}
