import * as z from 'zod/mini';
import { DEFAULT_DATABASE_PORT, DEFAULT_PORT } from './config.ts';
import { databaseUrlsFault } from './database-url.ts';

function text(pattern: RegExp, rule: string) {
  return z.string(rule).check(z.regex(pattern, rule));
}

function whole(minimum: number, maximum: number, fallback: number) {
  const rule = `must be a whole number from ${minimum} to ${maximum}, without quotes`;
  const isWithin = (value: number) => Number.isInteger(value) && value >= minimum && value <= maximum;
  return z._default(z.number(rule).check(z.refine(isWithin, rule)), fallback);
}

function oneOf<const Words extends string[]>(words: Words, fallback: Words[number]) {
  return z._default(z.enum(words, `must be one of ${words.join(', ')}`), fallback);
}

/** The URLs of a database cluster that others run; what is wrong is said of the list, and never in the URL's own words. */
function databaseUrls() {
  const rule = 'must be a list of postgresql:// URLs';
  return z.array(z.string(rule), rule).check((found) => {
    const message = databaseUrlsFault(found.value);
    if (message !== undefined) found.issues.push({ code: 'custom', input: undefined, message });
  });
}

const absolutePath = text(/^\//, 'must be an absolute path');
const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;
/** 1 to 86400 seconds. */
const WRITE_POLICY =
  /^(?:both|degrade-after (?:[1-9][0-9]{0,3}|[1-7][0-9]{4}|8[0-5][0-9]{3}|86[0-3][0-9]{2}|86400))$/;
const WRITE_POLICY_RULE = 'must be both, or degrade-after and 1 to 86400 seconds';
const PASSWORD_SCRIPT_RULE = 'must be a command of 1 to 4096 characters';
const ADDRESS_RULE = 'must be an IPv4 or IPv6 address';

/**
 * `keytrustee.conf`: one JSON object. `LOCAL_FINGERPRINT` and `SSL_*` are the original product's; `DB_PORT` is the name
 * its 3.x line had. All others are our own, because the product's names are not public; keytrustee.conf(5) explains each.
 */
export const configurationFields = {
  LOCAL_FINGERPRINT: text(/^[0-9]+R\/[0-9A-F]{40}$/, 'must look like 4096R/<40 hex digits>'),
  EXTERNAL_ADDRESS: text(HOST, 'must be a host name'),
  PORT: whole(1, 65_535, DEFAULT_PORT),
  DB_PORT: whole(1, 65_535, DEFAULT_DATABASE_PORT),
  PG_ROOTDIR: absolutePath,
  DATABASE_URLS: z.optional(databaseUrls()),
  DATABASE_PASSWORD_FILE: z.optional(absolutePath),
  SSL_CERTIFICATE: absolutePath,
  SSL_PRIVATE_KEY: absolutePath,
  SSL_PRIVATE_KEY_PASSWORD_SCRIPT: z.optional(
    z
      .string(PASSWORD_SCRIPT_RULE)
      .check(z.minLength(1, PASSWORD_SCRIPT_RULE), z.maxLength(4096, PASSWORD_SCRIPT_RULE)),
  ),
  SSL_CA_CERTIFICATE: z.optional(absolutePath),
  SSL_MIN_VERSION: oneOf(['tlsv1', 'tlsv1.1', 'tlsv1.2', 'tlsv1.3'], 'tlsv1.2'),
  SSL_CIPHERS: z._default(
    text(
      /^[A-Za-z0-9_+!@=.:, -]{0,4096}$/,
      "must be OpenSSL's names of ciphers, separated by colons, commas or spaces",
    ),
    '',
  ),
  LISTEN_ADDRESS: z.optional(text(/^[0-9A-Fa-f:.]{2,45}$/, ADDRESS_RULE)),
  WORKERS: whole(1, 64, 1),
  METRICS_PORT: whole(0, 65_535, 11_372),
  SESSION_SECONDS: whole(30, 86_400, 900),
  DEPOSIT_RECOVERY_DAYS: whole(0, 3650, 30),
  HA_WRITE_POLICY: z._default(text(WRITE_POLICY, WRITE_POLICY_RULE), 'both'),
  FREE_SPACE_MEGABYTES: whole(0, 1_000_000_000, 256),
  RATE_LIMIT_ADDRESS: whole(1, 10_000_000, 120),
  RATE_LIMIT_CLIENT: whole(1, 10_000_000, 6000),
  AUDIT_DIR: z.optional(absolutePath),
  AUDIT_FILE_MEGABYTES: whole(1, 10_240, 64),
  MAIL_TRANSPORT: oneOf(['sendmail', 'smtp', 'none'], 'sendmail'),
  MAIL_FROM: z.optional(text(/^[^\s<>@]{1,64}@[A-Za-z0-9.-]{1,253}$/, 'must be a mail address')),
  SENDMAIL: z._default(absolutePath, '/usr/sbin/sendmail'),
  SMTP_HOST: z._default(text(HOST, 'must be a host name'), 'localhost'),
  SMTP_PORT: whole(1, 65_535, 25),
  SMTP_TLS: oneOf(['opportunistic', 'required', 'implicit', 'off'], 'opportunistic'),
  SMTP_CA_FILE: z.optional(absolutePath),
  SMTP_USER: z.optional(text(/^[^\p{Cc}]{1,255}$/u, 'must be a name')),
  SMTP_PASSWORD_FILE: z.optional(absolutePath),
};
