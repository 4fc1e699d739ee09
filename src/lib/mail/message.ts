import { load } from '../core/lazy.ts';

/** The outside of a mail. */
export interface MailHead {
  from: string;
  to: string;
  subject: string;
}

/** The MIME tree of a mail or of a part of it. */
type Part = InstanceType<Awaited<ReturnType<typeof partClass>>>;

async function partClass() {
  return (await load('mimeNode')).default;
}

async function part(type: string): Promise<Part> {
  const Node = await partClass();
  return new Node(type, { disableFileAccess: true, disableUrlAccess: true });
}

const ascii = (text: string) => /^[\n\x20-\x7e]*$/.test(text);

/**
 * The text of a mail as a MIME part in the form that is signed: CRLF, 7 bits, nothing that a mail server would rewrite
 * (RFC 3156, section 5).
 */
export async function textPart(text: string): Promise<Buffer> {
  const node = (await part('multipart/mixed')).createChild(
    `text/plain; charset=${ascii(text) ? 'us-ascii' : 'utf-8'}`,
  );
  node.setHeader('Content-Transfer-Encoding', ascii(text) ? '7bit' : 'quoted-printable');
  node.setContent(text.replaceAll('\n', '\r\n'));
  return node.build();
}

async function root(type: string, head: MailHead, host: string): Promise<Part> {
  const Node = await partClass();
  const node = new Node(type, { hostname: host, disableFileAccess: true, disableUrlAccess: true });
  node.setHeader('From', head.from);
  node.setHeader('To', head.to);
  node.setHeader('Subject', head.subject);
  // RFC 3834: no vacation notice answers it.
  node.setHeader('Auto-Submitted', 'auto-generated');
  return node;
}

/** A mail whose text is signed (RFC 3156, section 5); `signature` is armoured, over the bytes of `text`. */
export async function signedMessage(
  head: MailHead,
  host: string,
  text: Buffer,
  signature: string,
): Promise<Buffer> {
  const type = 'multipart/signed; micalg=pgp-sha512; protocol="application/pgp-signature"';
  const node = await root(type, head, host);
  node.createChild('text/plain').setRaw(text);
  addArmoured(node, 'application/pgp-signature; name="signature.asc"', signature);
  return node.build();
}

/** A mail that only its reader can read (RFC 3156, section 4); `encrypted` is armoured. */
export async function encryptedMessage(head: MailHead, host: string, encrypted: string): Promise<Buffer> {
  const node = await root('multipart/encrypted; protocol="application/pgp-encrypted"', head, host);
  addArmoured(node, 'application/pgp-encrypted', 'Version: 1\n');
  addArmoured(node, 'application/octet-stream; name="encrypted.asc"', encrypted);
  return node.build();
}

function addArmoured(node: Part, type: string, text: string): void {
  const child = node.createChild(type);
  child.setHeader('Content-Transfer-Encoding', '7bit');
  child.setContent(text.replaceAll('\n', '\r\n'));
}
