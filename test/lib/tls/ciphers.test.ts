import { expect, test } from 'vitest';
import { cipherString } from '../../../src/lib/tls/ciphers.ts';

const SUITES = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';

test.each([
  ['', `${SUITES}:DEFAULT:!aNULL:!eNULL`],
  ['AES256:CAMELLIA256-SHA', `${SUITES}:AES256:CAMELLIA256-SHA:!aNULL:!eNULL`],
  ['AES256,CAMELLIA256-SHA', `${SUITES}:AES256:CAMELLIA256-SHA:!aNULL:!eNULL`],
  [' AES256  CAMELLIA256-SHA, ', `${SUITES}:AES256:CAMELLIA256-SHA:!aNULL:!eNULL`],
  ['TLS_AES_256_GCM_SHA384', 'TLS_AES_256_GCM_SHA384:DEFAULT:!aNULL:!eNULL'],
  ['HIGH:!MD5:!RC4', `${SUITES}:HIGH:!MD5:!RC4:!aNULL:!eNULL`],
  ['!CAMELLIA', `${SUITES}:DEFAULT:!CAMELLIA:!aNULL:!eNULL`],
  ['ECDHE+AESGCM@STRENGTH', `${SUITES}:ECDHE+AESGCM:@STRENGTH:!aNULL:!eNULL`],
])('the list %j becomes what OpenSSL reads', (list, string) => {
  expect(cipherString(list, 'tlsv1.2')).toBe(string);
});

test('security level 0 comes with TLS 1.0 and 1.1 alone', () => {
  for (const old of ['tlsv1', 'tlsv1.1'] as const)
    expect(cipherString('AES256', old)).toBe(`${SUITES}:AES256:!aNULL:!eNULL:@SECLEVEL=0`);
  expect(() => cipherString('AES256@SECLEVEL=0', 'tlsv1.2')).toThrow(
    'SSL_CIPHERS: @SECLEVEL=0 would allow broken ciphers with SSL_MIN_VERSION tlsv1.2',
  );
});

test.each([
  ['AES256:AES-256', 'SSL_CIPHERS: OpenSSL knows no cipher AES-256'],
  ['AES256:!CAMELIA', 'SSL_CIPHERS: OpenSSL knows no cipher !CAMELIA'],
  ['TLS_AES_256_GCM_SHA385 AES256', 'SSL_CIPHERS: OpenSSL knows no cipher TLS_AES_256_GCM_SHA385'],
  ['AES256:!TLS_AES_256_GCM_SHA384', 'SSL_CIPHERS: OpenSSL knows no cipher !TLS_AES_256_GCM_SHA384'],
  ['AES256:@FAST', 'SSL_CIPHERS: @FAST is no command of OpenSSL'],
  ['AES256:!AES256', 'SSL_CIPHERS leaves no cipher'],
  ['aNULL', 'SSL_CIPHERS leaves no cipher'],
])('the list %j is refused, and the word named', (list, message) => {
  expect(() => cipherString(list, 'tlsv1.2')).toThrow(message);
});
