/** A mail server on loopback, and what is in the mails that it took. */
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { onTestFinished } from 'vitest';

/** A mail that was taken over. */
export interface TakenMail {
  from: string;
  to: string[];
  raw: string;
  isSecure: boolean;
  user: unknown;
}

export interface MailServer {
  port: number;
  mails: TakenMail[];
  /** How many mails came as far as their content, taken or not. */
  tries: number;
  /** How many connections are cut as soon as content begins to arrive. */
  drops: number;
  /** Decides on a mail whose content is there: returns a refusal, or nothing. */
  judge: (raw: string) => { code: number; text: string } | undefined;
  close(): Promise<void>;
}

function refusal({ code, text }: { code: number; text: string }): Error {
  return Object.assign(new Error(text), { responseCode: code });
}

/** Starts a mail server without TLS and authentication, unless the options say otherwise. */
export async function mailServer(
  options: SMTPServerOptions = {},
  { port = 0, atEnd = onTestFinished as (cleanUp: () => Promise<void>) => void } = {},
): Promise<MailServer> {
  const server: MailServer = {
    port,
    mails: [],
    tries: 0,
    drops: 0,
    judge: () => undefined,
    close: () => new Promise((resolve) => smtp.close(() => resolve())),
  };
  const smtp = new SMTPServer({
    ...{
      disabledCommands: ['STARTTLS', 'AUTH'],
      authOptional: true,
      disableReverseLookup: true,
      closeTimeout: 50,
    },
    onData(stream, session, done) {
      let raw = '';
      server.tries += 1;
      stream.setEncoding('latin1').on('data', (text: string) => {
        raw += text;
        if (server.drops === 0) return;
        server.drops -= 1;
        for (const connection of smtp.connections) connection._socket.destroy();
      });
      stream.on('end', () => {
        const verdict = server.judge(raw);
        if (verdict !== undefined) return done(refusal(verdict));
        const { mailFrom, rcptTo } = session.envelope;
        const from = mailFrom === false ? '' : mailFrom.address;
        const to = rcptTo.map(({ address }) => address);
        server.mails.push({ from, to, raw, isSecure: session.secure, user: session.user });
        return done(null, 'taken as number 1');
      });
    },
    ...options,
  });
  smtp.on('error', () => undefined);
  await new Promise<void>((resolve) => smtp.listen(port, '127.0.0.1', resolve));
  server.port = (smtp.server.address() as AddressInfo).port;
  atEnd(server.close);
  return server;
}

/** The headers of a mail or a part, names in small letters, unfolded; and its body as it is. */
export function taken(raw: string): { headers: Record<string, string>; body: string } {
  const end = raw.indexOf('\r\n\r\n');
  const lines = raw
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { headers: Object.fromEntries(headers), body: raw.slice(end + 4) };
}

/** The parts of a multipart body, to the byte: the line break before a delimiter belongs to the delimiter (RFC 2046, 5.1.1). */
export function partsOf(raw: string): string[] {
  const { headers, body } = taken(raw);
  const boundary = /boundary="([^"]+)"/.exec(headers['content-type'] ?? '')?.[1] ?? '';
  const pieces = `\r\n${body}`.split(`\r\n--${boundary}`);
  return pieces.slice(1, -1).map((piece) => piece.replace(/^[ \t]*\r\n/, ''));
}

/** The text that a MIME part holds. */
export function textOf(part: string): string {
  const { headers, body } = taken(part);
  if (headers['content-transfer-encoding'] !== 'quoted-printable') return body.replaceAll('\r\n', '\n');
  const bytes = body
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8').replaceAll('\r\n', '\n');
}
