import { hostname } from 'node:os';
import type { Configuration } from '../core/configuration.ts';
import { failure } from '../core/errors.ts';
import { run } from '../core/process.ts';
import { type Accepted, type Outgoing, saidLine } from './outgoing.ts';
import { sendBySmtp } from './smtp.ts';

/** Milliseconds that the host's own program may take: it only queues. */
const LIMIT = 60_000;

/** Addresses that a mail program would take for an option. */
const OPTION = /^"?-/;

async function sendByProgram(program: string, { from, to, message }: Outgoing): Promise<Accepted> {
  if (OPTION.test(from) || OPTION.test(to)) throw failure('usage', `${to} is not an address to send to`);
  // It goes on to its end when this program is interrupted: a mail that was handed over half is lost or comes twice.
  const options = { input: message, timeout: LIMIT, cleanUp: true };
  const result = await run(program, ['-i', '-f', from, to], options);
  if (result.status === 0) return { by: `${program} on ${hostname()}`, answer: 'exit status 0' };
  const how = result.signal === null ? `exit status ${result.status}` : `signal ${result.signal}`;
  const words = saidLine(result.stderr.trim().split('\n').at(-1) ?? '');
  throw failure('failed', `${program} failed (${how})${words === '' ? '' : `: ${words}`}`);
}

/**
 * Hands a mail over in the way that keytrustee.conf says, and waits until it was taken, or not, within a limit. `stop`
 * breaks a conversation with a mail server off.
 */
export async function send(
  configuration: Configuration,
  mail: Outgoing,
  stop?: AbortSignal,
): Promise<Accepted> {
  if (configuration.MAIL_TRANSPORT === 'sendmail') return sendByProgram(configuration.SENDMAIL, mail);
  if (configuration.MAIL_TRANSPORT === 'smtp') return sendBySmtp(configuration, mail, stop);
  throw failure('state', 'mails wait: MAIL_TRANSPORT is none', 'set MAIL_TRANSPORT in keytrustee.conf');
}
