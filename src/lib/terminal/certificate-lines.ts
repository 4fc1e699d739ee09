import type { Presented, Shown } from '../certificates/show.ts';
import type { Description } from '../tls/describe.ts';
import { harmless } from '../tls/words.ts';

const WIDTH = 16;

const line = (name: string, value: string) => `  ${name.padEnd(WIDTH)}${value}\n`.replace(/ +\n$/, '\n');

/** `RSA 2048`, `EC P-256`, `ED25519`. */
function keyWords({ type, bits, curve }: Description['key']): string {
  return [type.toUpperCase(), bits, curve].filter((word) => word !== undefined).join(' ');
}

function certificateLines(certificate: Description): string {
  const { subject, issuer, names, validity, validFrom, validTo, key, sha256, sha1, serial } = certificate;
  return [
    line('subject', harmless(subject)),
    ...names.map((name, place) => line(place === 0 ? 'names' : '', harmless(name))),
    line('issuer', subject === issuer ? 'itself' : harmless(issuer)),
    line('validity', validity),
    line('from', validFrom),
    line('to', validTo),
    line('key', keyWords(key)),
    line('serial', serial),
    line('SHA-256', sha256),
    line('SHA-1', sha1),
  ].join('');
}

/** The certificates of a chain, each under what it is. */
function chainLines(chain: Description[]): string {
  return chain
    .map((certificate, place) => {
      const what = place === 0 ? 'the certificate' : `authority ${place}`;
      return `\n${what}\n${certificateLines(certificate)}`;
    })
    .join('');
}

function configuredLines({ configured }: Shown): string {
  const { SSL_CERTIFICATE, SSL_PRIVATE_KEY, SSL_CA_CERTIFICATE } = configured.files;
  return [
    'configured in keytrustee.conf\n',
    line('certificate', SSL_CERTIFICATE),
    line(
      'private key',
      `${SSL_PRIVATE_KEY}${configured.hasPasswordScript ? ' (opened by a password script)' : ''}`,
    ),
    SSL_CA_CERTIFICATE === undefined ? '' : line('authorities', SSL_CA_CERTIFICATE),
    line('request', configured.pending ?? 'none waits'),
    line('kept', `${configured.kept} earlier`),
    chainLines(configured.chain),
  ].join('');
}

function spokenLines({ spoken }: Presented): string {
  return spoken
    .flatMap(({ protocol, ciphers }) =>
      ciphers.map((cipher, place) => line(place === 0 ? protocol : '', cipher)),
    )
    .join('');
}

function presentedLines(presented: Presented, isConfigured: boolean): string {
  const { address, protocol, cipher, chain } = presented;
  return [
    `\npresented on ${address}\n`,
    line('certificate', isConfigured ? 'as configured, and its chain too' : 'ANOTHER than configured'),
    line('agreed upon', `${protocol} ${cipher}`),
    spokenLines(presented),
    isConfigured ? '' : chainLines(chain),
  ].join('');
}

/** What `cert show` prints for people. */
export function shownLines(shown: Shown): string {
  const own = shown.configured.chain.map(({ sha256 }) => sha256).join();
  const presented = shown.presented.map((one) =>
    presentedLines(one, one.chain.map(({ sha256 }) => sha256).join() === own),
  );
  const why = shown.agrees === null ? 'no server that answers runs here' : 'the server cannot be reached';
  const none = presented.length === 0 ? ['\npresented\n', `  ${why}\n`] : [];
  return [configuredLines(shown), ...presented, ...none].join('');
}
