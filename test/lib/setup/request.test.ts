import { expect, test } from 'vitest';
import { planServer, unusedOptions } from '../../../src/lib/setup/request.ts';

const NOTHING = {
  externalAddress: undefined,
  port: undefined,
  databasePort: undefined,
  pgRootdir: undefined,
};

test('a new server has the original’s ports, and its cluster beside the configuration', () => {
  expect(planServer('/var/lib/keytrustee/.keytrustee', NOTHING, 'a.example.com').newServer).toEqual({
    EXTERNAL_ADDRESS: 'a.example.com',
    PORT: 11371,
    DB_PORT: 11381,
    PG_ROOTDIR: '/var/lib/keytrustee/db',
  });
});

test('what was typed wins over what was proposed', () => {
  const typed = { externalAddress: 'b.example.com', port: 1, databasePort: 2, pgRootdir: '/pg' };
  const { newServer } = planServer('/kt', typed, 'a.example.com');
  expect(newServer).toEqual({ EXTERNAL_ADDRESS: 'b.example.com', PORT: 1, DB_PORT: 2, PG_ROOTDIR: '/pg' });
  const existing = { ...newServer, LOCAL_FINGERPRINT: '', SSL_CERTIFICATE: '', SSL_PRIVATE_KEY: '' };
  expect(unusedOptions(existing, typed)).toEqual([]);
  expect(unusedOptions(existing, NOTHING)).toEqual([]);
  expect(unusedOptions(existing, { ...typed, port: 3 })).toEqual([
    '--port 3 is not used: keytrustee.conf has PORT 1',
  ]);
});
