import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { failure } from '../core/errors.ts';
import { quote } from '../core/quote.ts';

/** An absolute path of what was typed, seen from where it was typed. */
export function path(text: string): string {
  if (text === '') throw failure('usage', 'an empty path');
  if (text.includes('\0')) throw failure('usage', 'a path with a NUL byte');
  return resolve(text);
}

/** A whole number within bounds. */
export function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw failure('usage', `${quote(text)} is not a whole number from ${least} to ${most}`);
    }
    return value;
  };
}

/** A TCP port. */
export const port = integer(1, 65535);

/** One of a few words. */
export function oneOf<const T extends readonly string[]>(words: T): (text: string) => T[number] {
  return (text) => {
    if (!words.includes(text)) throw failure('usage', `${quote(text)} is none of ${words.join(', ')}`);
    return text as T[number];
  };
}

/** A host name or address. */
export function host(text: string): string {
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(text)) {
    throw failure(
      'usage',
      `${quote(text)} is not a host name`,
      'give the name by which clients reach this server, like kts01.example.com',
    );
  }
  return text;
}

/** Another server: `HOST`, `HOST:PORT`, or an IPv6 address in brackets where a port follows. */
export function hostAndPort(text: string): { host: string; port: number | undefined } {
  const [, bracketed, plain, digits] =
    /^(?:\[([^\]]+)\]|([^:]+|[^:]*:[^:]*:.*?))(?::(\d+))?$/.exec(text) ?? [];
  const name = bracketed ?? plain ?? text;
  return {
    host: isIP(name) === 6 ? name : host(name),
    port: digits === undefined ? undefined : port(digits),
  };
}

/** Whom a set is encrypted to, as it is looked up in a keyring. */
export function recipient(text: string): string {
  if (text.trim() === '') throw failure('usage', 'an empty recipient');
  return text;
}

/** The 40 hex digits of an OpenPGP fingerprint, also as `4096R/…` or in groups. */
export function fingerprint(text: string): string {
  const digits = text
    .replace(/^[0-9]+R\//, '')
    .replaceAll(/\s/g, '')
    .toUpperCase();
  if (/^[0-9A-F]{40}$/.test(digits)) return digits;
  throw failure(
    'usage',
    `${quote(text)} is not a fingerprint of 40 hex digits`,
    'ktadmin config show has it',
  );
}

const SECONDS: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

/** A time as seconds, of a number with or without a unit: `90`, `15m`, `12h`, `30d`. */
export function duration(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,10})([smhd]?)$/.exec(text) ?? [];
  const seconds = Number(digits) * (SECONDS[unit] ?? Number.NaN);
  if (seconds >= 1) return seconds;
  throw failure('usage', `${quote(text)} is no time`, 'a number of seconds, or one like 15m, 12h, 30d');
}

/** A point in time as milliseconds since 1970: `2026-05-04`, `2026-05-04T12:30:00Z`, or so long ago: `90m`, `12h`, `7d`. */
export function moment(text: string): number {
  if (/^\d{1,10}[smhd]$/.test(text)) return Date.now() - 1000 * duration(text);
  const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  throw failure('usage', `${quote(text)} is no time`, 'one like 2026-05-04, 2026-05-04T12:30:00Z, 12h, 7d');
}
