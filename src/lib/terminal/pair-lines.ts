import { byteWords } from '../core/amounts.ts';
import type { PairStatus, ServerStatus } from '../replication/status.ts';

const WIDTH = 16;

/** The other server's words must not be obeyed by a terminal. */
const plain = (text: string) => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');

const line = (name: string, value: string) => `  ${name.padEnd(WIDTH)}${plain(value)}\n`;

const seconds = (value: number | null) => (value === null ? 'not known' : `${value.toFixed(1)} s`);

const bytes = (value: number | null) => (value === null ? 'not known' : byteWords(value));

function passiveLines({ passive }: ServerStatus): string {
  if (passive === null) return '';
  const { address, state, sync, writeBytes, flushBytes, replayBytes } = passive;
  const lag = `${bytes(writeBytes)} to write, ${bytes(flushBytes)} to flush, ${bytes(replayBytes)} to apply`;
  return [
    line('passive', `${state}, ${sync}, from ${address ?? 'a unix socket'}`),
    line('behind', `${lag}; ${seconds(passive.seconds)}`),
  ].join('');
}

function slotLines({ slot }: ServerStatus): string {
  if (slot === null) return '';
  const { name, active, state, retainedBytes } = slot;
  const kept = `${bytes(retainedBytes)} of log kept, ${state ?? 'not reserved'}`;
  return line('slot', `${name}, ${active ? 'in use' : 'not in use'}, ${kept}`);
}

function receiverLines({ receiver }: ServerStatus): string {
  if (receiver === null) return '';
  const { state, received, replayed, silentSeconds, delaySeconds } = receiver;
  const heard = silentSeconds === null ? '' : `, heard ${seconds(silentSeconds)} ago`;
  return [
    line('receiver', `${state}${heard}`),
    line('received', received ?? 'nothing'),
    line('applied', `${replayed ?? 'nothing'}; ${seconds(delaySeconds)} behind`),
  ].join('');
}

const HTTPS = new Map([
  [true, 'answers'],
  [false, 'does not answer'],
]) as Map<boolean | null, string>;

function serverLines(server: ServerStatus): string {
  const { here, host, port, role, reason, serves, fingerprint, version, postgresql } = server;
  const { timeline, epoch, position } = server;
  const known = (name: string, value: string | number | null) =>
    value === null ? '' : line(name, String(value));
  return [
    `\n${host}${here ? ', this server' : ''}\n`,
    line('role', role ?? 'not known'),
    line('PostgreSQL', reason ?? `${postgresql}, answers at port ${port}`),
    line('HTTPS', HTTPS.get(serves) ?? 'not known'),
    known('fingerprint', fingerprint),
    known('version', version),
    known('timeline', timeline),
    known('epoch', epoch),
    role === 'passive' ? '' : known('position', position),
    passiveLines(server),
    slotLines(server),
    receiverLines(server),
  ].join('');
}

const WRITES = new Map([
  [true, 'are taken'],
  [false, 'are refused'],
]);

/** What `ha status` prints for people: the pair, each server, and what to do next. */
export function pairLines(status: PairStatus): string {
  const { state, writes, policy, sync, epoch, awaySince, degradedSince, servers, remarks } = status;
  const next = remarks.map(({ message, next: command }) =>
    command === null ? `${plain(message)}\n` : `${plain(message)}\n  next: ${plain(command)}\n`,
  );
  return [
    'the pair\n',
    line('state', state),
    line('writes', writes === null ? 'not known' : (WRITES.get(writes) ?? '')),
    sync === null ? '' : line('sync', sync),
    line('policy', policy),
    epoch === null ? '' : line('epoch', String(epoch)),
    awaySince === null ? '' : line('passive away', `since ${awaySince}`),
    degradedSince === null ? '' : line('degraded', `since ${degradedSince}`),
    ...servers.map(serverLines),
    `\n${next.join('')}`,
  ].join('');
}
