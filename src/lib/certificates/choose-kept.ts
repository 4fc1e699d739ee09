import { X509Certificate } from 'node:crypto';
import { dirname } from 'node:path';
import { explain, failure } from '../core/errors.ts';
import { exists } from '../core/files.ts';
import { Interrupted } from '../core/interrupt.ts';
import { shellWord } from '../core/quote.ts';
import { movedText } from '../core/relocation.ts';
import type { Protocol } from '../tls/context.ts';
import { type Fault, stopsServer, type Verdict } from '../tls/fault.ts';
import { type Material, recognize } from '../tls/material.ts';
import { readPair } from '../tls/pair.ts';
import { judge } from '../tls/verdict.ts';
import { stampedNames } from './generation.ts';
import { type Kept, readKept } from './kept.ts';
import type { Site } from './site.ts';
import { toldOf } from './told.ts';
import { faultLines } from './wish.ts';

/** The pair to which a rollback goes, and what is to be said of it. */
interface Choice {
  kept: Kept;
  own: X509Certificate;
  warnings: string[];
}

/** A server that goes back to a pair. */
type Here = Pick<Site, 'confdir' | 'store' | 'host'>;

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

/** The command that prints the key's password; where the pair was another server's, with the paths of this one. */
export function scriptOf({ confdir: from, settings }: Kept, { confdir }: Here): string | undefined {
  const { SSL_PRIVATE_KEY_PASSWORD_SCRIPT: script } = settings;
  return script === undefined || from === undefined ? script : movedText(script, from, confdir);
}

const WAY = 'ktadmin cert rotate --cert FILE --key FILE puts another one to use';

/** Looks at the copies as `cert rotate` looks at what it is given; a key that cannot be opened is a fault, too. */
async function judgeKept(kept: Kept, here: Here, protocol: Protocol): Promise<Verdict> {
  try {
    const files = { ...kept.copies, SSL_PRIVATE_KEY_PASSWORD_SCRIPT: scriptOf(kept, here) };
    return await judge(await readPair(files), { host: here.host, protocol });
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    const { message, hint = WAY } = explain(error);
    return { faults: [{ code: 'unreadable', message, hint }], warnings: [] };
  }
}

/** Whether nobody could be served with it. What some clients mind alone does not hold up an emergency exit. */
const isBarrier = (fault: Fault) => stopsServer(fault) || fault.code === 'unreadable';

/** The error that says why there is nothing to go back to. */
function noneLeft({ store }: Here, refused: Fault[]): Error {
  if (refused.length === 0) {
    const message = `no certificate is kept in ${store} to go back to`;
    return failure('notFound', message, 'ktadmin cert rotate keeps the one that it replaces');
  }
  const list = faultLines(refused).join('\n');
  return failure('untrusted', `no certificate that is kept can be used:\n${list}`, WAY);
}

function lineOf(certificate: X509Certificate): string {
  return toldOf(certificate).subject || 'a certificate without a subject';
}

/** The newest pair that is kept and can be used. Those that are newer and cannot are passed over, and named. */
export async function chooseKept(here: Here, protocol: Protocol): Promise<Choice> {
  const { store } = here;
  const refused: Fault[] = [];
  for (const name of (await exists(store)) ? await stampedNames(store, 'kept') : []) {
    const kept = await readKept(store, name);
    if (kept === undefined) {
      refused.push({ code: 'missing', message: `${name}: a file of it is gone`, hint: WAY });
      continue;
    }
    requireWhole(kept);
    const own = new X509Certificate(kept.contents.SSL_CERTIFICATE ?? '');
    const { faults, warnings } = await judgeKept(kept, here, protocol);
    const barriers = faults.filter(isBarrier);
    const passed = refused.map(({ message }) => `passed over ${message}`);
    const minded = faults.map(({ message }) => `some clients refuse it: ${message}`);
    if (barriers.length === 0)
      return { kept, own, warnings: [...passed, ...minded, ...warnings.map(({ message }) => message)] };
    for (const fault of barriers)
      refused.push({ ...fault, message: `${name}, ${lineOf(own)}: ${fault.message}` });
  }
  throw noneLeft(here, refused);
}
