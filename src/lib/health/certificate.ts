import type { X509Certificate } from 'node:crypto';
import { nextExpiry } from '../tls/expiry.ts';
import { critical, type Finding, fine, warning } from './diagnosis.ts';

/** With fewer days left a certificate is a fault and no warning. */
const WEEK = 7;

const timeOf = (time: Date) => `${time.toISOString().slice(0, 19)}Z`;

/** How the certificate is exchanged that expires. */
function renewal([own]: X509Certificate[], isOwn: boolean): string {
  if (!isOwn) return 'ktadmin cert rotate --cert FILE --key FILE --ca FILE';
  const isSelfSigned = own?.subject === own?.issuer;
  return isSelfSigned ? 'ktadmin cert rotate --self-sign' : 'ktadmin cert request';
}

/** Judges the certificate of the settings: until when it is valid, and what else was found to be wrong with it. */
export function judgeCertificate(
  chain: X509Certificate[],
  { faults, warnings }: { faults: string[]; warnings: string[] },
): Finding {
  const expiry = nextExpiry(chain);
  if (expiry === undefined) return critical(faults.join('; '), 'ktadmin cert check');
  const { isOwn, words, at, days, isNear } = expiry;
  const said = `${isOwn ? '' : "an authority's "}${words}, on ${timeOf(at)}`;
  const renew = renewal(chain, isOwn);
  if (days < 0) return critical(said, renew);
  const early = chain.find(({ validFrom }) => Date.parse(validFrom) > Date.now());
  if (early !== undefined)
    return critical(`is valid only from ${timeOf(new Date(early.validFrom))}`, 'timedatectl');
  if (faults.length > 0) return critical(faults.join('; '), 'ktadmin cert check');
  if (isNear) return days < WEEK ? critical(said, renew) : warning(said, renew);
  return warnings.length === 0 ? fine(said) : warning(warnings.join('; '), 'ktadmin cert check');
}
