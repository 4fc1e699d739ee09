import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  configurationFaults,
  parseConfiguration,
  parseConfigurationText,
  unknownKeys,
} from '../../../src/lib/core/configuration.ts';

const VALID = {
  LOCAL_FINGERPRINT: `4096R/${'0123456789ABCDEF'.repeat(3).slice(0, 40)}`,
  EXTERNAL_ADDRESS: 'kts01.example.com',
  PG_ROOTDIR: '/srv/kt/db',
  SSL_CERTIFICATE: '/srv/kt/c.pem',
  SSL_PRIVATE_KEY: '/srv/kt/k.pem',
};

test('defaults are filled in, and keys of other versions are kept', () => {
  expect(parseConfiguration('conf', { ...VALID, LATER: [1] })).toEqual({
    ...VALID,
    PORT: 11371,
    DB_PORT: 11381,
    SSL_MIN_VERSION: 'tlsv1.2',
    SSL_CIPHERS: '',
    WORKERS: 1,
    METRICS_PORT: 11372,
    SESSION_SECONDS: 900,
    DEPOSIT_RECOVERY_DAYS: 30,
    HA_WRITE_POLICY: 'both',
    FREE_SPACE_MEGABYTES: 256,
    RATE_LIMIT_ADDRESS: 120,
    RATE_LIMIT_CLIENT: 6000,
    AUDIT_FILE_MEGABYTES: 64,
    MAIL_TRANSPORT: 'sendmail',
    SENDMAIL: '/usr/sbin/sendmail',
    SMTP_HOST: 'localhost',
    SMTP_PORT: 25,
    SMTP_TLS: 'opportunistic',
    LATER: [1],
  });
  expect(unknownKeys({ ...VALID, LATER: [1] })).toEqual(['LATER']);
});

test('whatever stands in a file, either it is a configuration or the error says where and never quotes it', () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(VALID), 'PORT', 'DB_PORT'), fc.jsonValue(), (key, value) => {
      const raw = { ...VALID, [key]: value };
      const found = configurationFaults(raw);
      if (found.length === 0) {
        expect(parseConfiguration('conf', raw)).toMatchObject({ [key]: value });
        return;
      }
      expect(found).toHaveLength(1);
      expect(found[0]).toMatch(new RegExp(`^${key} must `));
      expect(() => parseConfiguration('conf', raw)).toThrow(`conf: ${found[0]}`);
    }),
  );
});

test('ports are whole numbers from 1 to 65535', () => {
  fc.assert(
    fc.property(fc.oneof(fc.integer(), fc.double(), fc.integer({ min: -2, max: 70_000 })), (value) => {
      const isPort = Number.isInteger(value) && value >= 1 && value <= 65_535;
      expect(configurationFaults({ ...VALID, PORT: value })).toHaveLength(isPort ? 0 : 1);
    }),
  );
});

test('a text that is no JSON object is refused without being quoted', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      const isObject = (() => {
        try {
          const value: unknown = JSON.parse(text);
          return typeof value === 'object' && value !== null && !Array.isArray(value);
        } catch {
          return false;
        }
      })();
      if (isObject) expect(parseConfigurationText('conf', text)).toEqual(JSON.parse(text));
      else
        expect(() => parseConfigurationText('conf', text)).toThrow(
          /^conf (?:is not JSON|does not hold one JSON object)$/,
        );
    }),
  );
});
