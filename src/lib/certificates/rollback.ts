import { dirname } from 'node:path';
import { failure } from '../core/errors.ts';
import { exists } from '../core/files.ts';
import { withLock } from '../core/lock.ts';
import { shellWord } from '../core/quote.ts';
import type { Protocol } from '../tls/context.ts';
import { type Material, recognize } from '../tls/material.ts';
import { readPair } from '../tls/pair.ts';
import { exchange } from './exchange.ts';
import { isStillThere, type Kept, listKept } from './kept.ts';
import { settle } from './settle.ts';
import type { Outcome, Site, Wanted } from './site.ts';
import { toldOf } from './told.ts';
import { checkAsServer } from './wish.ts';

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

const isWhole = {
  SSL_CERTIFICATE: ({ certificates, damaged }: Material) => certificates.length > 0 && damaged.length === 0,
  SSL_PRIVATE_KEY: ({ keys, damaged }: Material) => keys.length > 0 && damaged.length === 0,
  SSL_CA_CERTIFICATE: ({ damaged }: Material) => damaged.length === 0,
};

/** Refuses a copy that somebody damaged. Going back further unasked would surprise whoever expects the pair before. */
function requireWhole({ copies, contents }: Kept): void {
  for (const name of Object.keys(isWhole) as (keyof typeof isWhole)[]) {
    const path = copies[name];
    const material = recognize(Buffer.from(contents[name] ?? ''));
    if (path === undefined || (material !== undefined && isWhole[name](material))) continue;
    const directory = shellWord(dirname(path));
    const hint = `${directory}/settings.json names the files that it was copied from: ktadmin cert rotate puts those to use; rm -r ${directory} has the next one go back further`;
    throw failure('failed', `${path}, which was kept to go back to, is damaged`, hint);
  }
}

/** What the exchange is told to do: the files that were in use then, where they still hold that pair, else the copies. */
export async function rollbackWanted({ store }: Site, protocol: Protocol): Promise<Wanted> {
  const kept = await newestKept(store);
  requireWhole(kept);
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
  return withLock(site.confdir, 'certificate command', async () => {
    const settled = await settle(site);
    if (settled?.event === 'certificate.rollback') return settled;
    return exchange(site, await rollbackWanted(site, protocol));
  });
}
