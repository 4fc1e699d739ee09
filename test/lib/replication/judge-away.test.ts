/** What `ha status` and `doctor` say of a server that does not answer, was made anew, or went its own way: each hint can be typed. */
import { expect, test } from 'vitest';
import type { Seen } from '../../../src/lib/replication/facts.ts';
import type { Look } from '../../../src/lib/replication/look.ts';
import { statusOf } from '../../../src/lib/replication/status.ts';
import { whereOther } from '../../../src/lib/replication/whereabouts.ts';
import { facts, ID, said, seen, sender } from '../../support/facts.ts';

const without = 'to go on without it, where it was not promoted: ktadmin ha sync off';
const start = 'on passive.example.com: ktadmin db start';

/** What is to be done about a passive server that is away. */
function away(more: Partial<Seen>): string | null {
  const found = facts({ senders: [] }, null, { other: seen('passive', false, null, more) });
  const [remark] = said(found).filter(([, code]) => code === 'passive-away');
  return remark?.[3] ?? null;
}

test('defect: where nothing is heard, the network is named beside the start of a server that may run', () => {
  expect(away({ absence: 'refused' })).toBe(`${start}; ${without}`);
  expect(away({ absence: 'silent', served: null })).toBe(
    `is the network between the two up? ktadmin ha status on passive.example.com tells its side; else ${start}; ${without}`,
  );
  expect(away({ absence: 'silent' })).toBe(
    `${start}; where it runs: is port 11381 open between the two?; ${without}`,
  );
  expect(away({ absence: 'other', hint: 'is it spelled right?' })).toBe(`is it spelled right?; ${without}`);
});

test('defect: the passive side of a cut link named only the start of the other server', () => {
  const cut = facts(null, null, {
    own: seen('passive', true),
    other: seen('active', false, null, { absence: 'silent', served: null }),
  });
  expect(said(cut)).toEqual([
    [
      ...['critical', 'active-away', 'the active server is away: no answer'],
      'is the network between the two up? ktadmin ha status on active.example.com tells its side; else on active.example.com: ktadmin db start; where it is lost: ktadmin ha promote',
    ],
  ]);
});

test('a passive that runs and does not follow is not to be started', () => {
  expect(said(facts({ senders: [] }, {}))).toEqual([
    [
      ...['critical', 'passive-away', 'passive.example.com runs, and does not follow: writes are refused'],
      `wait, it may just have been started; else on passive.example.com: ktadmin ha rejoin; ${without}`,
    ],
  ]);
});

test('defect: nobody said why HA_WRITE_POLICY does not act', () => {
  const policy = 'degrade-after 8';
  const messages = (more: Parameters<typeof facts>[2]) =>
    said(facts({ senders: [] }, null, { policy, ...more })).map(([, , message]) => message);
  const refused = 'passive.example.com is away: writes are refused';
  expect(messages({})).toEqual([
    `${refused}; ${policy} does not act, because the two were not in step since PostgreSQL was started here or the policy was set, and the other may have been promoted`,
  ]);
  expect(messages({ inStepSince: new Date(0).toISOString() })).toEqual([refused]);
  const own = seen('active', true, { senders: [] }, { served: null });
  expect(messages({ own })).toEqual([
    `${refused}; ${policy} does not act, because the server does not run on this host`,
  ]);
});

test('defect: a fenced server that had acknowledged changes alone was to rejoin as if it had not', () => {
  const aloneSince = '2026-01-02T03:04:05.678Z';
  const rejoin =
    'ktadmin ha rejoin --accept-data-loss, which keeps its data beside the new ones; bring over what only they have, see ktadmin-ha(8)';
  const look: Partial<Look> = { inRecovery: false, role: 'fenced', aloneSince };
  expect(said(facts({ synchronous: null }, look))).toEqual([
    [
      ...['warning', 'peer-fenced'],
      'passive.example.com is fenced: the pair went on without it; since 2026-01-02T03:04:05Z changes counted on it alone',
      `on passive.example.com: ${rejoin}`,
    ],
  ]);
});

test('two servers that are active in one epoch, or of two origins: who is to join whom', () => {
  const look: Partial<Look> = { inRecovery: false, role: 'active', receiver: null, synchronous: null };
  const other = (system: string, epoch: number) =>
    seen(
      'passive',
      false,
      { ...look, system },
      {
        ...{ port: 11399, host: 'other.example.com' },
        pair: { epoch, active: ID.passive, sync: false, policy: 'both', changedAt: new Date(0) },
      },
    );
  const here = 'ktadmin ha join --replace-data --active other.example.com:11399';
  const there = 'on other.example.com: ktadmin ha join --replace-data --active active.example.com:11381';
  const next = (...of: [string, number]) =>
    said(facts({}, {}, { other: other(...of) })).map((each) => each[3]);
  expect(next('1', 1)).toEqual([
    `if other.example.com is to count: ${here}; if active.example.com is: ${there}`,
  ]);
  expect(next('2', 2)).toEqual([here]);
});

test('a passive host that was made anew and started has a database of its own', () => {
  const look: Partial<Look> = { inRecovery: false, role: 'alone', system: '2', receiver: null };
  const anew = seen('passive', false, look, { pair: undefined });
  const join = 'on passive.example.com: ktadmin ha join --active active.example.com';
  expect(said(facts({ senders: [] }, {}, { other: anew })).map(([, code, , next]) => [code, next])).toEqual([
    ['databases-differ', join],
    ['passive-away', `${join}; ${without}`],
  ]);
});

test('defect: a host that was made anew was looked for under its former name', () => {
  const anew = 'kt3333333333333333';
  const known = { port: 11381, httpsPort: 11371, fingerprint: 'F', version: 'v1' };
  const nodes = [
    { ...known, id: ID.active, host: 'active.example.com' },
    { ...known, id: ID.passive, host: 'passive.example.com' },
    { ...known, id: anew, host: 'passive.example.com' },
  ];
  const { node, own } = facts({ senders: [{ ...sender, id: anew, sync: 'async' }] }, {});
  const last = nodes.at(-1);
  expect(whereOther(node, { ...own, nodes })?.known).toEqual(last);
  const silent = { ...own, look: null, nodes };
  expect(whereOther(node, silent)?.known).toEqual(last);
  expect(whereOther(node, { ...own, look: null, nodes: [] })).toEqual({
    ...{ host: 'passive.example.com', port: 11381, known: undefined },
  });
  const found = facts({}, {}, { own, other: seen('passive', false, {}, { id: anew }) });
  expect(said(found)).toEqual([
    [
      ...['critical', 'other-awaited'],
      'passive.example.com follows, and changes wait for another server, which it was before: writes are refused',
      'ktadmin ha sync on',
    ],
  ]);
  expect(statusOf(found)).toMatchObject({ state: 'other-awaited', writes: false });
});

test('defect: a host without the database of a server passed for one that is alone', () => {
  const none = (more: object) => {
    const own = seen(
      'passive',
      true,
      { inRecovery: false, role: 'alone', hasDatabase: false },
      { pair: undefined },
    );
    const node = { id: ID.passive, role: 'alone' as const, epoch: 0, peer: null, ...more };
    return facts({}, {}, { own, other: null, node });
  };
  const joining = { host: 'active.example.com', port: 11399 };
  expect(said(none({ joining }))).toEqual([
    [
      ...['critical', 'join-unfinished'],
      'this server was to become the passive one of active.example.com, and that was cut off',
      'ktadmin ha join --active active.example.com:11399',
    ],
  ]);
  expect(said(none({ copyOf: 'active.example.com' }))).toEqual([
    [
      ...['critical', 'not-joined', 'this server is a copy of active.example.com, and has not joined it'],
      'ktadmin ha join --active active.example.com',
    ],
  ]);
  expect(statusOf(none({}))).toMatchObject({ state: 'database-missing', writes: false });
});

test('defect: the disk of the passive server filled unseen from the active one', () => {
  const other = seen('passive', false, {}, { isShort: true });
  expect(said(facts({}, {}, { other }))).toContainEqual([
    ...['warning', 'passive-short'],
    'passive.example.com has less than FREE_SPACE_MEGABYTES free: when nothing is, it stops, and changes that wait for it are refused on active.example.com',
    'on passive.example.com: ktadmin doctor, and make room',
  ]);
});

test('defect: a passive server whose place another one has taken was to be followed, and sync to be ended for it', () => {
  const other = 'kt00000000000000ff';
  expect(said(facts({ synchronous: other, senders: [{ ...sender, id: other }] }, {}))).toEqual([
    [
      ...['critical', 'replaced'],
      'passive.example.com has no place in the pair any more: another server follows active.example.com',
      'on passive.example.com: stop keytrusteed; ktadmin db stop',
    ],
  ]);
});
