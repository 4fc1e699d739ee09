/** A mail's subject, and its text: lines of at most 76 characters, but for a link, which stands on a line of its own. */
export interface Wording {
  subject: string;
  text: string;
}

/** Who sends: the server's name, and the key by which its mails are signed. */
export interface Sender {
  host: string;
  fingerprint: string;
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** A time as the original product writes the end of a link's life: `Thu Sep  3 00:08:25 2015 UTC`. */
export function dateWords(date: Date): string {
  const day = String(date.getUTCDate()).padStart(2);
  const time = date.toISOString().slice(11, 19);
  return `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${day} ${time} ${date.getUTCFullYear()} UTC`;
}

/** How a mail begins: what it is, and from which server. */
export const opening = ({ host }: Sender, what: string) =>
  `This is ${what} message of the Key Trustee Server\n${host}.\n`;

/** How a mail ends: by which key it is signed. */
export const closing = ({
  fingerprint,
}: Sender) => `This mail is signed by the server's OpenPGP key. Import that key to check
the sender of such mails; its fingerprint is

${fingerprint}
`;

/** Asks a new contact for an OpenPGP key. */
export function invitationWording(
  sender: Sender,
  organization: string,
  link: string,
  expires: Date,
): Wording {
  return {
    subject: 'KeyTrustee Contact Registration',
    text: `${opening(sender, 'an automatic')}
Your address was entered there as the one of an administrator of the
organization

[${organization}]

When a client wants to keep keys for this organization, you may be asked
whether it is allowed to.

We recommend that you register your OpenPGP (GPG) public key: from then on
mails of this server to you are encrypted. Paste or upload the whole block,
with its BEGIN and END lines, on this page:

${link}

The link can be used once, until ${dateWords(expires)}.

Registering a key is not required: without one you get the same mails, only
not encrypted. If this mail surprises you, do not open the link, and tell
those who run the server.

${closing(sender)}`,
  };
}

/** A client that asks to be let in. `name` is what it calls itself. */
export interface ClientOfMail {
  fingerprint: string;
  name: string;
  organization: string;
  address?: string;
}

/** Control characters and those that turn the direction of writing: a stranger chose the name. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const LONGEST_NAME = 56;

/** What others chose, on one line between two marks, cut where it is long. */
export function onOneLine(name: string, mark = ''): string {
  const clean = name.replace(UNPRINTABLE, '?');
  const end = clean.length > LONGEST_NAME ? `${mark} (cut)` : mark;
  return `${mark}${clean.slice(0, LONGEST_NAME)}${end}`;
}

/** Asks a contact whether a client is let in. */
export function approvalWording(
  sender: Sender,
  { fingerprint, name, organization, address }: ClientOfMail,
  links: { approve: string; deny: string },
  expires: Date,
): Wording {
  return {
    subject: 'KeyTrustee Client Approval',
    text: `${opening(sender, 'an automatic')}
A client asks to keep keys for the organization

[${organization}]

  fingerprint  ${fingerprint}
  name         ${name === '' ? '(none)' : onOneLine(name, '"')}
  address      ${address ?? '(not known)'}

The client chose the name itself. Compare the fingerprint with the one that
the client's own machine shows before you let it in.

To approve it:

${links.approve}

To deny it:

${links.deny}

A page opens that shows this once more; nothing changes before you press a
button there. The links can be used once, until
${dateWords(expires)}.

If this client is unknown to you, deny it.

${closing(sender)}`,
  };
}

/** Says that mail works. */
export function testWording(sender: Sender): Wording {
  return {
    subject: 'KeyTrustee Test Message',
    text: `${opening(sender, 'a test')}
Somebody who runs it wanted to know whether its mails arrive. There is
nothing to do.

${closing(sender)}`,
  };
}
