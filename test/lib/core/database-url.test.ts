/** The URLs of a database cluster that others run. */
import { expect, test } from 'vitest';
import {
  databaseUrlsFault,
  hostName,
  parseDatabaseUrl,
  withoutPassword,
} from '../../../src/lib/core/database-url.ts';

const ROOT = 'sslmode=verify-full&sslrootcert=/ca.pem';

test('a URL is read with its defaults', () => {
  expect(parseDatabaseUrl('postgresql://db1.example.com?sslrootcert=/ca.pem')).toEqual({
    ...{
      host: 'db1.example.com',
      port: 5432,
      user: 'keytrustee',
      database: 'keytrustee',
      password: undefined,
    },
    ...{ sslmode: 'verify-full', sslrootcert: '/ca.pem', sslcert: undefined, sslkey: undefined },
  });
  expect(parseDatabaseUrl(`postgresql://a%40b:p%3Aw@[::1]:6543/k%2Ft?${ROOT}&sslcert=/c&sslkey=/k`)).toEqual({
    ...{ host: '::1', port: 6543, user: 'a@b', database: 'k/t', password: 'p:w' },
    ...{ sslmode: 'verify-full', sslrootcert: '/ca.pem', sslcert: '/c', sslkey: '/k' },
  });
  expect(hostName({ host: '::1', port: 6543 })).toBe('[::1]:6543');
});

test.each([
  ['http://db1', 'must begin with postgresql://'],
  [`postgresql://db1,db2/keytrustee?${ROOT}`, 'must name one host each'],
  [`postgresql://u:a,b@db1:1,db2:2/keytrustee?${ROOT}`, 'must name one host each'],
  ['postgresql:///keytrustee?sslmode=disable', 'must name a host each'],
  ['postgresql://db1', 'must have sslrootcert with sslmode=verify-full, which is the default'],
  ['postgresql://db1?sslmode=prefer', 'must have an sslmode of verify-full, require, disable'],
  ['postgresql://db1?sslmode=require&sslrootcert=/x', 'must have sslmode=verify-full with sslrootcert'],
  [`postgresql://db1?${ROOT}&sslcert=/x`, 'must have sslcert and sslkey both, or neither'],
  ['postgresql://db1?sslrootcert=ca.pem', 'must name files by absolute paths'],
  ['postgresql://db1?password=x', 'may have only sslmode, sslrootcert, sslcert, sslkey'],
  ['postgresql://u:p#w@db1?sslmode=disable', 'must'],
  ['postgresql://u:p%w@db1?sslmode=disable', 'must be URLs'],
])('%s is refused without its words', (url, fault) => {
  expect(databaseUrlsFault([url])).toContain(fault);
});

test('a list names the hosts of one cluster, each once', () => {
  const url = (host: string, database = 'keytrustee') => `postgresql://${host}/${database}?sslmode=disable`;
  expect(databaseUrlsFault([url('a'), url('b')])).toBeUndefined();
  expect(databaseUrlsFault([])).toBe('must be a list of 1 to 16 URLs');
  expect(databaseUrlsFault([url('a'), url('a')])).toBe('must name each host once');
  expect(databaseUrlsFault([url('a'), url('b', 'other')])).toContain('the same database and role');
});

test('a URL is shown without its password', () => {
  expect(withoutPassword('postgresql://u:p@ss@db1/k?sslmode=disable')).toBe(
    'postgresql://u:***@db1/k?sslmode=disable',
  );
  expect(withoutPassword('postgresql://u@db1/k')).toBe('postgresql://u@db1/k');
});
