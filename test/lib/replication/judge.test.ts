/** What `ha status` and `doctor` say of a pair, for each thing that can be wrong with it. */
import { expect, test } from 'vitest';
import type { Seen } from '../../../src/lib/replication/facts.ts';
import { judge } from '../../../src/lib/replication/judge.ts';
import type { Look } from '../../../src/lib/replication/look.ts';
import { statusOf } from '../../../src/lib/replication/status.ts';
import { facts, ID, said, seen, sender } from '../../support/facts.ts';

test('a pair in step: from either side there is nothing to do', () => {
  expect(said(facts({}, {}))).toEqual([['fine', 'in-step', 'in step with passive.example.com', null]]);
  const turned = facts({}, {}, { own: seen('passive', true), other: seen('active', false) });
  expect(said(turned)).toEqual([['fine', 'in-step', 'in step with active.example.com', null]]);
  expect(statusOf(turned)).toMatchObject({ state: 'in-step', writes: true, sync: 'on', epoch: 1 });
});

test.each([
  [-4900, []],
  [5000, ['the clock of passive.example.com is 5 s ahead of that of active.example.com']],
  [-579_700, ['the clock of passive.example.com is 10 min behind that of active.example.com']],
  [86_400_000, ['the clock of passive.example.com is 24 h ahead of that of active.example.com']],
  [-40 * 86_400_000, ['the clock of passive.example.com is 40 days behind that of active.example.com']],
])('clocks that differ by %i ms', (clock, messages) => {
  const other = seen('passive', false, {}, { clock: clock + 1000 });
  const found = facts({}, {}, { own: seen('active', true, {}, { clock: 1000 }), other });
  const told = judge(found).filter(({ code }) => code === 'clocks-differ');
  expect(told.map(({ severity, message }) => [severity, message])).toEqual(
    messages.map((message) => ['warning', message]),
  );
});

test('the passive is away: since when, and what to do on which server', () => {
  const away = facts({ senders: [] }, null, { away: '2026-01-02T03:04:05.678Z' });
  expect(said(away)).toEqual([
    [
      ...['critical', 'passive-away'],
      'passive.example.com is away since 2026-01-02T03:04:05Z: writes are refused',
      'on passive.example.com: ktadmin db start; to go on without it, where it was not promoted: ktadmin ha sync off',
    ],
  ]);
  expect(statusOf(away)).toMatchObject({ writes: false, awaySince: '2026-01-02T03:04:05.678Z' });
});

test.each<[string, Partial<Look> | null, Partial<Look> | null, string, string, string]>([
  [
    'catching up',
    { senders: [{ ...sender, state: 'catchup', sync: 'async' }] },
    {},
    'critical catching-up',
    'passive.example.com is catching up: writes are refused until it has',
    'wait; ktadmin ha status shows how far it is',
  ],
  [
    'degraded',
    { synchronous: null, senders: [], degraded: `${ID.passive} 2026-01-02T03:04:05.678Z` },
    null,
    'warning degraded',
    'degraded since 2026-01-02T03:04:05Z: what is acknowledged is on active.example.com alone',
    'on passive.example.com: ktadmin db start',
  ],
  [
    'degraded, and nearly over',
    { synchronous: null, degraded: `${ID.passive} 2026-01-02T03:04:05.678Z` },
    {},
    'warning degraded',
    'degraded since 2026-01-02T03:04:05Z: what is acknowledged is on active.example.com alone; passive.example.com is catching up',
    'wait: it ends by itself',
  ],
  [
    'sync off',
    { synchronous: null },
    {},
    'warning sync-off',
    'sync is off: what is acknowledged may be on active.example.com alone',
    'ktadmin ha sync on',
  ],
  [
    'sync off, and the passive away',
    { synchronous: null, senders: [] },
    null,
    'warning sync-off',
    'sync is off: what is acknowledged may be on active.example.com alone',
    'on passive.example.com: ktadmin db start; then ktadmin ha sync on',
  ],
  [
    'away for too long',
    { senders: [], slots: [{ name: ID.passive, active: false, retainedBytes: null, state: 'lost' }] },
    {},
    'critical slot-lost',
    'passive.example.com was away for too long: what it missed is not kept any more',
    'on passive.example.com: ktadmin ha join --active active.example.com',
  ],
  [
    'away for long',
    {
      ...{ senders: [], synchronous: null, degraded: `${ID.passive} 2026-01-02T03:04:05.678Z` },
      slots: [{ name: ID.passive, active: false, retainedBytes: 1, state: 'unreserved' }],
    },
    null,
    'warning slot-endangered',
    'passive.example.com is away for long: what it misses is soon not kept any more',
    'on passive.example.com: ktadmin db start',
  ],
  [
    'timelines',
    { timeline: 2, senders: [] },
    { timeline: 1 },
    'critical timelines-differ',
    'passive.example.com is on timeline 1, and active.example.com on 2',
    'on passive.example.com: ktadmin ha rejoin',
  ],
  [
    'far behind',
    { senders: [{ ...sender, replayBytes: 3 * 1024 ** 3, seconds: 12.3 }] },
    {},
    'warning lag',
    'passive.example.com is 3.0 GiB and 12 s behind',
    'on passive.example.com: look at its disks, and at the network between the two',
  ],
  [
    'a passive that follows, and cannot be asked',
    {},
    null,
    'warning peer-silent',
    'passive.example.com follows, and cannot be asked: no answer',
    'on passive.example.com: ktadmin ha status',
  ],
  [
    'a fenced peer',
    { synchronous: null },
    { inRecovery: false, role: 'fenced' },
    'warning peer-fenced',
    'passive.example.com is fenced: the pair went on without it',
    'on passive.example.com: ktadmin ha rejoin',
  ],
  [
    'fenced',
    { role: 'fenced', synchronous: null },
    { inRecovery: false, role: 'active', synchronous: null, receiver: null },
    'critical fenced',
    'fenced: the pair went on without this server',
    'ktadmin ha rejoin',
  ],
  [
    'a promotion that was broken off',
    { role: 'fenced', synchronous: null },
    { inRecovery: false, role: 'passive', receiver: null },
    'critical promotion-unfinished',
    'passive.example.com was promoted, and that was not finished',
    'on passive.example.com: ktadmin ha promote',
  ],
  [
    'two passives',
    { inRecovery: true, role: 'passive', synchronous: null },
    {},
    'critical two-passives',
    'both servers are passive: none takes writes',
    'on the one that was active last, or has received more: ktadmin ha promote',
  ],
  [
    'databases of two origins',
    {},
    { system: '2' },
    'critical databases-differ',
    'the databases are not of one origin',
    'on passive.example.com: ktadmin ha join --active active.example.com',
  ],
  ['no database here', null, {}, 'critical database-away', 'no answer', 'ktadmin db start'],
])('%s', (_what, own, other, is, message, next) => {
  const [severity, code] = is.split(' ');
  expect(said(facts(own, other))).toContainEqual([severity, code, message, next]);
});

test('two servers that are active: the later epoch counts', () => {
  const pair = { epoch: 2, active: ID.passive, sync: false, policy: 'both', changedAt: new Date(0) };
  const both = facts(
    {},
    {},
    {
      other: seen('passive', false, { inRecovery: false, role: 'active', receiver: null }, { pair }),
    },
  );
  expect(said(both)).toEqual([
    [
      ...['critical', 'two-actives'],
      'both servers are active: passive.example.com (epoch 2) counts, active.example.com (epoch 1) does not',
      'ktadmin ha rejoin',
    ],
  ]);
  expect(statusOf(both)).toMatchObject({ state: 'two-actives', epoch: 2, sync: 'off' });
});

test('keys and versions that differ', () => {
  const with_ = (more: Partial<Seen>) => said(facts({}, {}, { other: seen('passive', false, {}, more) }))[0];
  expect(with_({ fingerprint: 'G' })).toEqual([
    ...['critical', 'keys-differ'],
    'the OpenPGP keys differ: active.example.com has F, passive.example.com G',
    'copy the configuration directory of the active server, as ktadmin-ha(8) has it',
  ]);
  expect(with_({ version: 'v2' })).toEqual([
    ...['critical', 'versions-differ'],
    'the versions differ: active.example.com has v1, passive.example.com v2',
    'install the same version on both; then, on both: ktadmin db restart',
  ]);
});

test('the certificate of the pair expires, or has', () => {
  const next = 'ktadmin init; ktadmin db restart';
  const soon = new Date(Date.now() + 10.5 * 86_400_000);
  expect(said(facts({}, {}, { certificateEnds: soon }))[0]).toEqual([
    ...['warning', 'certificate-expires', 'the certificate of the pair expires in 10 days', next],
  ]);
  expect(said(facts({}, {}, { certificateEnds: new Date(0) }))[0]).toEqual([
    ...['critical', 'certificate-expired'],
    'the certificate of the pair expired on 1970-01-01T00:00:00Z',
    next,
  ]);
});

test('the authority of the pair expires', () => {
  const soon = new Date(Date.now() + 1.5 * 86_400_000);
  const [first] = said(facts({}, {}, { certificateEnds: soon, isAuthorityFirst: true }));
  const next = 'ktadmin init; ktadmin db restart';
  expect(first).toEqual([
    'warning',
    'certificate-expires',
    'the authority of the pair expires in 1 day',
    next,
  ]);
});

test('a certificate that is none comes first: PostgreSQL does not start with it', () => {
  const [first] = said(facts(null, {}, { certificateEnds: null, certificateFault: 'F is no certificate' }));
  const next = 'ktadmin init; ktadmin db restart';
  expect(first).toEqual(['critical', 'certificate-unusable', 'F is no certificate', next]);
});

test('a server alone, prepared for a pair or not', () => {
  const alone = (role: string | null) =>
    said(
      facts({}, {}, { other: null, own: seen('active', true, { role, senders: [] }, { pair: undefined }) }),
    );
  const join = 'on another host: ktadmin ha join --active active.example.com';
  expect(alone('alone')).toEqual([['fine', 'alone', 'alone', join]]);
  expect(alone(null)).toEqual([
    ['fine', 'unprepared', 'alone; not prepared for a pair', 'ktadmin db restart'],
  ]);
});

test('defect: after a promotion the way back left rejoin out', () => {
  const promoted = facts({ synchronous: null, senders: [] }, null);
  promoted.own.pair = { epoch: 2, active: ID.active, sync: false, policy: 'both', changedAt: new Date(0) };
  const back =
    'on passive.example.com: ktadmin db start; on passive.example.com: ktadmin ha rejoin; then ktadmin ha sync on';
  expect(judge(promoted).map(({ code, next }) => [code, next])).toEqual([['sync-off', back]]);
});
