import { readFile } from 'node:fs/promises';
import type { Configuration } from '../core/configuration.ts';
import { failure } from '../core/errors.ts';
import { load } from '../core/lazy.ts';
import { readSecretFile } from '../core/secret-file.ts';
import { type Accepted, type Outgoing, saidLine } from './outgoing.ts';

/** Milliseconds: for a connection, for each answer, and for all of it, however slowly the other side drips. */
const CONNECT_LIMIT = 10_000;
const ANSWER_LIMIT = 30_000;
const WHOLE_LIMIT = 120_000;

const LOCAL = new Set(['localhost', '127.0.0.1', '::1']);

async function authentication({ SMTP_USER, SMTP_PASSWORD_FILE }: Configuration) {
  if (SMTP_USER === undefined) return {};
  const pass =
    SMTP_PASSWORD_FILE === undefined ? '' : await readSecretFile('SMTP_PASSWORD_FILE', SMTP_PASSWORD_FILE);
  // Without `forceAuth` a server that offers no authentication would get the mail all the same.
  return { auth: { user: SMTP_USER, pass }, forceAuth: true };
}

/** A password goes only to a server that proved who it is, or that is this very host. */
function security(configuration: Configuration) {
  const { SMTP_TLS: wanted, SMTP_USER: user, SMTP_HOST: host, SMTP_CA_FILE: authorities } = configuration;
  const guarded = user !== undefined && !LOCAL.has(host);
  if (guarded && wanted === 'off')
    throw failure('state', 'the password would go in clear: SMTP_TLS is off', 'set SMTP_TLS to required');
  const mode = guarded && wanted === 'opportunistic' ? 'required' : wanted;
  return {
    secure: mode === 'implicit',
    requireTLS: mode === 'required',
    ignoreTLS: mode === 'off',
    // Where clear text would do as well, a certificate that nobody vouches for is better than none.
    rejectUnauthorized: mode !== 'opportunistic' || authorities !== undefined,
  };
}

async function smtpOptions(configuration: Configuration) {
  const { rejectUnauthorized, ...modes } = security(configuration);
  const { SMTP_CA_FILE: authorities, SMTP_HOST: host, SMTP_PORT: port } = configuration;
  const ca = authorities === undefined ? {} : { ca: await readFile(authorities) };
  return {
    host,
    port,
    name: configuration.EXTERNAL_ADDRESS,
    ...modes,
    tls: { rejectUnauthorized, minVersion: 'TLSv1.2' as const, ...ca },
    ...(await authentication(configuration)),
    dnsTimeout: CONNECT_LIMIT,
    connectionTimeout: CONNECT_LIMIT,
    greetingTimeout: ANSWER_LIMIT,
    socketTimeout: ANSWER_LIMIT,
    disableFileAccess: true,
    disableUrlAccess: true,
    // What it logs is the whole conversation, password and mail among it.
    logger: false,
  };
}

/** What nodemailer says of an error. */
interface SmtpError {
  code?: string;
  originalCode?: string;
  message: string;
}

const UNREACHABLE = new Set(['ECONNECTION', 'ETIMEDOUT', 'ESOCKET', 'EDNS', 'EABORT', 'ABORT_ERR']);
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO/;

function explain(error: unknown, where: string): Error {
  const { code = '', originalCode = '' } = error as SmtpError;
  const message = saidLine((error as SmtpError).message);
  if (code === 'ETLS' || CERTIFICATE.test(originalCode) || CERTIFICATE.test(code)) {
    const hint = 'SMTP_CA_FILE names the authority of its certificate; SMTP_HOST must be the name in it';
    return failure('untrusted', `${where}: no trusted TLS: ${message}`, hint);
  }
  if (UNREACHABLE.has(code)) return failure('unreachable', `${where} does not answer: ${message}`);
  if (code === 'EAUTH') return failure('permission', `${where} refuses SMTP_USER: ${message}`);
  return failure('failed', `${where} refuses the mail: ${message}`);
}

/** Hands a mail to an SMTP server; `stop` breaks it off. */
export async function sendBySmtp(
  configuration: Configuration,
  { from, to, message }: Outgoing,
  stop: AbortSignal | undefined,
): Promise<Accepted> {
  const options = await smtpOptions(configuration);
  const where = `${options.host}:${options.port}`;
  const { createTransport } = await load('nodemailer');
  try {
    const limits = [AbortSignal.timeout(WHOLE_LIMIT), ...(stop === undefined ? [] : [stop])];
    const mail = { envelope: { from, to }, raw: message, signal: AbortSignal.any(limits) };
    const sent = await createTransport(options).sendMail(mail);
    return { by: where, answer: saidLine(sent.response) };
  } catch (error) {
    throw explain(error, where);
  }
}
