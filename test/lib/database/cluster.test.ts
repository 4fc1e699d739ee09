import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkSocketPath, clusterAt, portSetting } from '../../../src/lib/database/cluster.ts';

test.each([
  ['port = 11381', 11381],
  ["port = '5433' # comment", 5433],
  ['  Port 5434', 5434],
  ['port=5435\nport = 5436\n', 5436],
  ['#port = 5432', undefined],
  ['superuser_port = 5432', undefined],
  ['listen_addresses = *', undefined],
  ['', undefined],
])('the port that %j names', (text, port) => {
  expect(portSetting(text)).toBe(port);
});

test('a root is refused exactly where the socket’s lock file would be longer than the kernel takes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 150 }), fc.integer({ min: 1, max: 65_535 }), (length, port) => {
      const cluster = clusterAt(`/${'ä'.repeat(length)}`, port);
      const bytes = Buffer.byteLength(`${cluster.root}/run/.s.PGSQL.${port}.lock`);
      if (bytes <= 107) expect(() => checkSocketPath(cluster)).not.toThrow();
      else expect(() => checkSocketPath(cluster)).toThrow(`is ${bytes - 107} bytes too long`);
    }),
  );
});
