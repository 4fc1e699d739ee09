import { X509Certificate } from 'node:crypto';
import { beginsWith, type Element, partsOf, readElement, TAG } from './der.ts';
import { type Block, blocksOf, textOf, toPem } from './pem.ts';

/** The forms in which certificates and keys are handed over. */
export type Form = 'PEM' | 'DER' | 'PKCS#12' | 'PKCS#7' | 'JKS';

/** A private key as it was found in a file. */
export interface FoundKey {
  /** PEM text; of a key that lies in DER, its PEM form. It may be encrypted. */
  pem: string;
  isLocked: boolean;
}

/** What a file holds. */
export interface Material {
  form: Form;
  /** In the order in which the file has them, which means nothing in a PKCS#7 and in a store. */
  certificates: X509Certificate[];
  keys: FoundKey[];
  /** Of a PKCS#12 or a JKS what is in it shows only when it is opened (`openStore`). */
  isStore: boolean;
  /** What begins as something known and cannot be read: `the certificate in line 12`. */
  damaged: string[];
  /** What else there is, by the words of its frame: `CERTIFICATE REQUEST`. */
  others: string[];
}

/**
 * Asks for a password when it turns out that one is needed: `path` names the file, and `opens` tells whether a password is
 * the right one, for those who can be asked again.
 */
export type PasswordSource = (path: string, opens: (password: string) => Promise<boolean>) => Promise<string>;

const CERTIFICATE = /^(?:TRUSTED |X509 )?CERTIFICATE$/;
const PKCS7 = /^(?:PKCS7|PKCS #7 SIGNED DATA|CMS)$/;
const KEY = /^(?:|RSA |EC |DSA |ENCRYPTED )PRIVATE KEY$/;
/** What OpenSSL writes beside a key, and nobody needs. */
const HARMLESS = /^(?:EC|DH|X9.42 DH) PARAMETERS$/;
/** The first bytes of Java's own stores: JKS, JCEKS. */
const JAVA = [0xfeedfeed, 0xcececece];
const SIGNED_DATA = '2a864886f70d010702';
const DATA = '2a864886f70d0107';

const nothing = (form: Form): Material => ({
  ...{ form, certificates: [], keys: [], isStore: false, damaged: [], others: [] },
});

/** A certificate in DER, without what may stand behind it (OpenSSL's trust settings); undefined where it is none. */
function certificateIn(bytes: Buffer | undefined): X509Certificate | undefined {
  const element = bytes === undefined ? undefined : readElement(bytes);
  try {
    return element === undefined ? undefined : new X509Certificate(element.raw);
  } catch {
    return undefined;
  }
}

/** The certificates of a PKCS #7 (RFC 2315, 9.1), in the file's order; undefined where it is none. */
function certificatesOfPkcs7(bytes: Buffer | undefined): X509Certificate[] | undefined {
  const top = bytes === undefined ? undefined : readElement(bytes);
  const [type, wrapped] = top?.tag === TAG.sequence ? partsOf(top) : [];
  if (type?.content.toString('hex') !== SIGNED_DATA || wrapped?.tag !== TAG.context0) return undefined;
  const [signed] = partsOf(wrapped);
  const list = signed === undefined ? undefined : partsOf(signed).find(({ tag }) => tag === TAG.context0);
  return (list === undefined ? [] : partsOf(list)).flatMap(({ raw }) => certificateIn(raw) ?? []);
}

function isPkcs12(parts: Element[]): boolean {
  const [version, content] = parts;
  if (!beginsWith(parts, TAG.integer, TAG.sequence) || content === undefined) return false;
  const [type] = partsOf(content);
  return version?.content.toString('hex') === '03' && type?.content.toString('hex').startsWith(DATA) === true;
}

/** The frame that a private key in DER has in PEM. */
function keyLabel(parts: Element[]): string | undefined {
  const { integer, sequence, octets } = TAG;
  if (beginsWith(parts, integer, sequence, octets)) return 'PRIVATE KEY';
  if (beginsWith(parts, integer, integer, integer, integer, integer)) return 'RSA PRIVATE KEY';
  if (beginsWith(parts, integer, octets)) return 'EC PRIVATE KEY';
  return beginsWith(parts, sequence, octets) && parts.length === 2 ? 'ENCRYPTED PRIVATE KEY' : undefined;
}

function recognizeDer(bytes: Buffer): Material | undefined {
  if (bytes.length > 4 && JAVA.includes(bytes.readUInt32BE())) return { ...nothing('JKS'), isStore: true };
  const top = readElement(bytes);
  if (top?.tag !== TAG.sequence) return undefined;
  const certificate = certificateIn(bytes);
  if (certificate !== undefined) return { ...nothing('DER'), certificates: [certificate] };
  const signed = certificatesOfPkcs7(bytes);
  if (signed !== undefined) return { ...nothing('PKCS#7'), certificates: signed };
  const parts = partsOf(top);
  if (isPkcs12(parts)) return { ...nothing('PKCS#12'), isStore: true };
  const label = keyLabel(parts);
  if (label === undefined) return undefined;
  return { ...nothing('DER'), keys: [{ pem: toPem(label, top.raw), isLocked: /ENCRYPTED/.test(label) }] };
}

function addKey({ keys, damaged }: Material, { label, headers, bytes, line }: Block): void {
  const isOld = headers.some((header) => header.includes('ENCRYPTED'));
  // What is encrypted the traditional way is no DER before it is opened.
  if (bytes === undefined || (!isOld && readElement(bytes)?.tag !== TAG.sequence)) {
    damaged.push(`the private key in line ${line}`);
    return;
  }
  const pem = toPem(label, bytes, isOld ? headers : []);
  if (!keys.some((key) => key.pem === pem)) keys.push({ pem, isLocked: isOld || /ENCRYPTED/.test(label) });
}

function recognizePem(blocks: Block[]): Material {
  const material = nothing('PEM');
  for (const block of blocks) {
    const { label, bytes, line } = block;
    const certificate = CERTIFICATE.test(label) ? certificateIn(bytes) : undefined;
    // Windows writes whatever it encodes as a CERTIFICATE.
    const signed = CERTIFICATE.test(label) || PKCS7.test(label) ? certificatesOfPkcs7(bytes) : undefined;
    if (certificate !== undefined) material.certificates.push(certificate);
    else if (signed !== undefined) {
      material.form = 'PKCS#7';
      material.certificates.push(...signed);
    } else if (KEY.test(label)) addKey(material, block);
    else if (CERTIFICATE.test(label)) material.damaged.push(`the certificate in line ${line}`);
    else if (PKCS7.test(label)) material.damaged.push(`the ${label} in line ${line}`);
    else if (!HARMLESS.test(label)) material.others.push(label);
  }
  return material;
}

/** Recognizes what a file holds by its bytes, whatever its name ends with; undefined where it is nothing that is known. */
export function recognize(bytes: Buffer): Material | undefined {
  const blocks = blocksOf(textOf(bytes));
  return blocks.length === 0 ? recognizeDer(bytes) : recognizePem(blocks);
}
