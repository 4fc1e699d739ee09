/** The writer of the audit trail, on real disks. */
import { createHash } from 'node:crypto';
import {
  appendFile,
  copyFile,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openTrail } from '../../../src/lib/audit/open.ts';
import type { TrailOptions } from '../../../src/lib/audit/stream.ts';
import type { OpenTrail } from '../../../src/lib/core/trail.ts';
import { faultsOf, linesOf, sign, someEvent, trailOptions, verified } from '../../support/audit.ts';
import { smallDisk } from '../../support/disk.ts';
import { isRoot, temporaryDirectory } from '../../support/sandbox.ts';

const FIRST = 'server-1.00000001.jsonl';

afterEach(() => void vi.useRealTimers());

/** A directory with the stream that every trail has; nothing is in it yet. */
async function newDirectory(directory?: string): Promise<string> {
  const audit = join(directory ?? (await temporaryDirectory()), 'audit');
  await (await openTrail(audit, 'command', trailOptions())).close();
  return audit;
}

async function opened(directory: string, options: Partial<TrailOptions> = {}): Promise<OpenTrail> {
  const trail = await openTrail(directory, 'server-1', trailOptions(options));
  onTestFinished(() => trail.close().catch(() => undefined));
  return trail;
}

async function eventsOf(directory: string): Promise<unknown[]> {
  return (await linesOf(directory, 'server-1')).map(({ event }) => event);
}

test('every event is one line that names the line before it, readable by its owner alone', async () => {
  const directory = await newDirectory();
  const trail = await opened(directory);
  await Promise.all(
    Array.from({ length: 1200 }, (_, number) =>
      number % 7 === 0 ? trail.change(someEvent(number)) : trail.note(someEvent(number)),
    ),
  );
  const text = await readFile(join(directory, FIRST), 'utf8');
  const lines = text.trimEnd().split('\n');
  expect(lines).toHaveLength(1201);
  let previous = '0'.repeat(64);
  for (const [index, line] of lines.entries()) {
    expect(JSON.parse(line)).toMatchObject({ seq: index + 1, previous });
    previous = createHash('sha256').update(line).digest('hex');
  }
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    event: 'audit.open',
    who: 'account:keytrustee',
    from: 'local',
  });
  expect(JSON.parse(lines[5] ?? '')).toEqual({
    ...{
      seq: 6,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      event: 'deposit.get',
    },
    ...{ who: 'client:A', from: '::1', what: { deposit: 'd4', size: 4 }, outcome: 'done' },
    previous: createHash('sha256')
      .update(lines[4] ?? '')
      .digest('hex'),
  });
  await trail.close();
  expect(await readFile(join(directory, 'server-1.head'), 'utf8')).toBe(
    `0000000000001201 00000001 ${previous} 00000000\n`,
  );
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  for (const name of [FIRST, 'server-1.head'])
    expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
  expect(await verified(directory)).toMatchObject({
    trusted: true,
    streams: [{ stream: 'command' }, { lines: 1201, files: 1 }],
  });
});

test('one process has a stream; another one is told so; the next one goes on where it ended', async () => {
  const directory = await newDirectory();
  const trail = await opened(directory);
  await trail.change(someEvent(1));
  await expect(opened(directory)).rejects.toThrow(
    `the audit trail cannot be written: another process with the audit stream server-1 is at work in ${directory}`,
  );
  await trail.close();
  await expect(trail.change(someEvent(2))).rejects.toThrow('the audit trail is closed');
  const next = await opened(directory);
  await next.change(someEvent(3));
  expect(await eventsOf(directory)).toEqual(['audit.open', 'deposit.get', 'deposit.get']);
  expect(await faultsOf(directory)).toEqual([]);
});

const FALSIFICATIONS: [string, (path: string) => Promise<void>, string][] = [
  ['removed', (path) => rm(path), 'removed'],
  ['replaced', (path) => copyFile(path, `${path}.2`).then(() => rename(`${path}.2`, path)), 'replaced'],
  ['cut', (path) => truncate(path, 300), 'changed'],
  ['lengthened', (path) => appendFile(path, 'more\n'), 'changed'],
];

test('defect: the process span for ever where lines had come while a removed file was found out', async () => {
  for (let round = 0; round < 10; round += 1) {
    const directory = await newDirectory();
    const trail = await opened(directory);
    const done: Promise<unknown>[] = [];
    const removed = (async () => {
      while (done.length < 20 * (round + 1)) await new Promise(setImmediate);
      await rm(join(directory, 'server-1.head'));
    })();
    const state = { isGone: false };
    void removed.then(() => (state.isGone = true));
    for (let number = 0; !state.isGone || number < 40; number += 1) {
      done.push(trail.change(someEvent(number)).catch(() => 'refused'));
      await new Promise(setImmediate);
    }
    expect((await Promise.all(done)).at(-1)).toBe('refused');
  }
});

test.each(FALSIFICATIONS)(
  'a file that is %s: nothing is acknowledged any more until a new file says what is missing',
  async (_what, falsify, word) => {
    const directory = await newDirectory();
    const trail = await opened(directory);
    await trail.change(someEvent(1));
    await trail.change(someEvent(2));
    await trail.check();
    await falsify(join(directory, FIRST));
    const message = `the audit trail cannot be written: ${join(directory, FIRST)} was ${word} by somebody else: nothing is recorded in it any more`;
    await expect(trail.note(someEvent(3))).rejects.toThrow(message);
    await expect(trail.change(someEvent(4))).rejects.toThrow(message);
    await expect(trail.check()).rejects.toThrow(`was ${word} by somebody else`);
    await trail.reopen();
    await trail.check();
    await trail.change(someEvent(5));
    await trail.close();
    const [gap, event] = (await linesOf(directory, 'server-1')).slice(-2);
    const what = { stream: 'server-1', file: 1, seq: 3, hash: expect.stringMatching(/^[0-9a-f]{64}$/) };
    expect(gap).toMatchObject({ seq: 4, event: 'audit.gap', outcome: 'failed', what });
    expect(event).toMatchObject({ seq: 5, what: { deposit: 'd5' } });
    expect(await faultsOf(directory)).toContain('server-1.00000002.jsonl:1');
  },
);

test('a reload changes nothing where all is as it was', async () => {
  const directory = await newDirectory();
  const trail = await opened(directory);
  await trail.change(someEvent(1));
  await Promise.all([trail.note(someEvent(2)), trail.reopen(), trail.note(someEvent(3))]);
  expect(await eventsOf(directory)).toHaveLength(4);
  expect(await faultsOf(directory)).toEqual([]);
});

test('the head record or the whole directory removed: a change is refused, a reload records it', async () => {
  const directory = await newDirectory();
  const trail = await opened(directory);
  await trail.change(someEvent(1));
  await rm(join(directory, 'server-1.head'));
  await expect(trail.check()).rejects.toThrow('cannot be written');
  await expect(trail.change(someEvent(2))).rejects.toThrow('was removed or replaced by somebody else');
  await trail.reopen();
  await trail.change(someEvent(3));
  await rm(directory, { recursive: true });
  await expect(trail.change(someEvent(4))).rejects.toThrow('was removed by somebody else');
  await trail.reopen();
  await trail.change(someEvent(5));
  expect(await eventsOf(directory)).toEqual(['audit.gap', 'deposit.get']);
});

describe('after a run that was killed', () => {
  test('a line without its end is cut off, and that is recorded with its digest', async () => {
    const directory = await newDirectory();
    const trail = await opened(directory);
    await trail.change(someEvent(1));
    await trail.close();
    await appendFile(join(directory, FIRST), '{"seq":3,"ti');
    expect(await faultsOf(directory)).toEqual([]);
    const next = await opened(directory);
    await next.change(someEvent(2));
    await next.close();
    const sha256 = createHash('sha256').update('{"seq":3,"ti').digest('hex');
    expect((await linesOf(directory, 'server-1')).slice(2)).toMatchObject([
      { seq: 3, event: 'audit.recover', what: { stream: 'server-1', size: 12, sha256 } },
      { seq: 4, event: 'deposit.get' },
    ]);
    expect(await faultsOf(directory)).toEqual([]);
  });

  const LOSSES: [string, (directory: string) => Promise<void>, string][] = [
    [
      'the end is cut',
      (directory) => truncate(join(directory, FIRST), 250),
      'the last lines are missing or changed',
    ],
    [
      'the file is empty',
      (directory) => truncate(join(directory, FIRST), 0),
      'the last lines are missing or changed',
    ],
    ['the file is gone', (directory) => rm(join(directory, FIRST)), 'the last file is missing'],
    ['the head is gone', (directory) => rm(join(directory, 'server-1.head')), 'the head record is missing'],
    [
      'the head is damaged',
      (directory) => writeFile(join(directory, 'server-1.head'), 'x'),
      'the head record is missing',
    ],
  ];

  test.each(LOSSES)(
    '%s: the next run says so in the first line of a new file',
    async (_what, lose, reason) => {
      const directory = await newDirectory();
      const trail = await opened(directory);
      for (let number = 1; number < 4; number += 1) await trail.change(someEvent(number));
      await trail.close();
      await lose(directory);
      expect(await faultsOf(directory)).not.toEqual([]);
      const next = await opened(directory);
      await next.change(someEvent(4));
      await next.close();
      expect((await linesOf(directory, 'server-1')).slice(-2)).toMatchObject([
        { event: 'audit.gap', seq: 5, reason },
        { event: 'deposit.get', seq: 6 },
      ]);
      expect(await faultsOf(directory)).not.toEqual([]);
    },
  );

  test('a new file that was only just made is gone on in', async () => {
    const directory = await newDirectory();
    const trail = await opened(directory);
    await trail.change(someEvent(1));
    await trail.close();
    await writeFile(join(directory, 'server-1.00000002.jsonl'), '{"seq":3', { mode: 0o600 });
    const next = await opened(directory);
    await next.change(someEvent(2));
    await next.close();
    expect(await eventsOf(directory)).toEqual([
      ...['audit.open', 'deposit.get', 'audit.open', 'audit.recover', 'deposit.get'],
    ]);
    expect(await faultsOf(directory)).toEqual([]);
  });
});

describe('defect: a whole stream could be removed unnoticed', () => {
  async function recorded(directory: string, stream: string, count: number): Promise<void> {
    const trail = await openTrail(directory, stream, trailOptions());
    for (let number = 0; number < count; number += 1) await trail.change(someEvent(number));
    await trail.close();
  }

  async function lose(directory: string, stream: string): Promise<void> {
    for (const name of await readdir(directory))
      if (name.startsWith(`${stream}.`)) await rm(join(directory, name));
  }

  test('the commands mention how far the others are, each time that is further', async () => {
    const directory = await newDirectory();
    await recorded(directory, 'command', 1);
    await recorded(directory, 'server-1', 2);
    for (let time = 0; time < 3; time += 1) await recorded(directory, 'command', 1);
    await recorded(directory, 'server-1', 1);
    await recorded(directory, 'command', 1);
    const lines = await linesOf(directory, 'command');
    const mentions = lines.filter(({ event }) => event === 'audit.mention');
    const hash = expect.stringMatching(/^[0-9a-f]{64}$/) as string;
    expect(mentions.map(({ seq, what }) => [seq, what])).toEqual([
      [3, { stream: 'command', 'server-1': 3, 'server-1.hash': hash }],
      [7, { stream: 'command', 'server-1': 4, 'server-1.hash': hash }],
    ]);
    expect(lines).toHaveLength(8);
    expect(await faultsOf(directory)).toEqual([]);
  });

  test('one that is gone begins with a gap; one that was begun anew is not the one that was seen', async () => {
    const directory = await newDirectory();
    await recorded(directory, 'server-1', 2);
    await recorded(directory, 'command', 1);
    await lose(directory, 'server-1');
    expect(await faultsOf(directory)).toEqual(['server-1.head']);
    await recorded(directory, 'server-1', 1);
    const reason = 'the whole stream is missing';
    expect((await linesOf(directory, 'server-1'))[0]).toMatchObject({ event: 'audit.gap', seq: 4, reason });
    expect(await faultsOf(directory)).toEqual([`${FIRST}:1`]);
    await lose(directory, 'server-1');
    const elsewhere = await newDirectory();
    await recorded(elsewhere, 'server-1', 9);
    for (const name of await readdir(elsewhere)) await copyFile(join(elsewhere, name), join(directory, name));
    expect(await faultsOf(directory)).toEqual([`${FIRST}:3`]);
  });

  test('a mention from before, without a hash, still counts; other files are no part of a trail', async () => {
    const directory = await newDirectory();
    await recorded(directory, 'server-1', 2);
    const trail = await openTrail(directory, 'command', trailOptions());
    await trail.change(someEvent(1, { event: 'audit.mention', what: { 'server-1': 3 } }));
    await trail.close();
    expect(await faultsOf(directory)).toEqual([]);
    await writeFile(join(directory, 'server-x.00000001.jsonl'), '');
    expect(await faultsOf(directory)).toEqual(['server-x.00000001.jsonl']);
    await expect(verified(await temporaryDirectory())).rejects.toThrow(
      'there is no stream of an audit trail',
    );
  });

  test('a trail without the stream of the commands is not whole, whether or not that was mentioned', async () => {
    const directory = await newDirectory();
    await recorded(directory, 'server-1', 2);
    await lose(directory, 'command');
    expect(await faultsOf(directory)).toEqual(['command.head']);
    const [, missing] = (await verified(directory)).streams;
    expect(missing?.faults).toEqual([{ file: 'command.head', fault: 'the whole stream is missing' }]);
  });

  test('where nothing is left of a stream and the others cannot be read, that is a gap', async () => {
    const directory = await newDirectory();
    await recorded(directory, 'command', 1);
    await rename(join(directory, 'command.00000001.jsonl'), join(directory, 'elsewhere'));
    await symlink('elsewhere', join(directory, 'command.00000001.jsonl'));
    await recorded(directory, 'server-1', 1);
    const reason = 'nothing is left of the stream, and the others cannot be read';
    expect((await linesOf(directory, 'server-1'))[0]).toMatchObject({ event: 'audit.gap', seq: 1, reason });
  });
});

describe('files that are full', () => {
  test('are sealed by the server’s key, each seal naming the one before; what could not be sealed is later', async () => {
    const directory = await newDirectory();
    const broken = await opened(directory, {
      fileBytes: 1000,
      sign: () => Promise.reject(new Error('no key')),
    });
    for (let number = 0; number < 12; number += 1) await broken.change(someEvent(number));
    await broken.close();
    const before = await verified(directory);
    expect(before).toMatchObject({ trusted: true, streams: [{ stream: 'command' }, { sealed: 0 }] });
    expect(before.streams.at(-1)?.unsealed).toBeGreaterThan(1);
    const trail = await opened(directory, { fileBytes: 1000 });
    await trail.close();
    const after = await verified(directory);
    expect(after).toMatchObject({
      trusted: true,
      streams: [{ stream: 'command' }, { unsealed: 0, sealed: before.streams.at(-1)?.unsealed }],
    });
    const seal = await readFile(join(directory, `${FIRST}.seal.asc`), 'utf8');
    expect(seal).toMatch(/^-----BEGIN PGP SIGNED MESSAGE-----/);
    const text = await readFile(join(directory, FIRST), 'utf8');
    expect(JSON.parse(seal.split('\n')[3] ?? '')).toEqual({
      ...{ stream: 'server-1', file: 1, firstSeq: 1, lastSeq: text.trimEnd().split('\n').length },
      lines: text.trimEnd().split('\n').length,
      size: text.length,
      sha256: createHash('sha256').update(text).digest('hex'),
      hash: createHash('sha256')
        .update(text.trimEnd().split('\n').at(-1) ?? '')
        .digest('hex'),
      previous: '0'.repeat(64),
    });
  });

  test('a new day begins a new file', async () => {
    const directory = await newDirectory();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 4, 4, 23, 59, 59) });
    const trail = await opened(directory);
    await trail.change(someEvent(1));
    vi.setSystemTime(Date.UTC(2026, 4, 5, 0, 0, 1));
    await trail.change(someEvent(2));
    await trail.change(someEvent(3));
    await trail.close();
    const times = (await linesOf(directory, 'server-1')).map(({ event, time }) => `${event} ${time}`);
    expect(times).toEqual([
      'audit.open 2026-05-04T23:59:59.000Z',
      'deposit.get 2026-05-04T23:59:59.000Z',
      'audit.open 2026-05-05T00:00:01.000Z',
      'deposit.get 2026-05-05T00:00:01.000Z',
      'deposit.get 2026-05-05T00:00:01.000Z',
    ]);
    expect(await verified(directory)).toMatchObject({
      trusted: true,
      streams: [{ stream: 'command' }, { sealed: 1, files: 2 }],
    });
  });

  test('what is written meanwhile raises no false alarm', async () => {
    const directory = await newDirectory();
    const trail = await opened(directory, { fileBytes: 5000, sign });
    let isOver = false;
    const writing = (async () => {
      for (let number = 0; !isOver; number += 1)
        await (number % 20 === 0 ? trail.change(someEvent(number)) : trail.note(someEvent(number)));
    })();
    for (let files = 0; files < 4; ) {
      const { streams } = await verified(directory);
      expect(streams.at(-1)?.faults).toEqual([]);
      files = streams.at(-1)?.files ?? 0;
    }
    isOver = true;
    await writing;
    await trail.close();
    expect(await faultsOf(directory)).toEqual([]);
  });
});

test.runIf(isRoot)(
  'a full disk refuses what comes and leaves no torn line; with space it goes on by itself',
  async () => {
    const disk = await smallDisk('256k');
    const directory = await newDirectory(disk.directory);
    const trail = await opened(directory);
    await trail.change(someEvent(0));
    await trail.check();
    await disk.fill();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, (_, number) =>
        trail.change(someEvent(number, { reason: 'x'.repeat(200) })),
      ),
    );
    const refused = outcomes.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(String(refused.reason)).toContain('the audit trail cannot be written: no space left on device');
    await expect(trail.check()).rejects.toThrow('cannot be written');
    expect((await readFile(join(directory, FIRST), 'utf8')).endsWith('}\n')).toBe(true);
    expect(await faultsOf(directory)).toEqual([]);
    await disk.free();
    await trail.change(someEvent(1));
    await trail.check();
    await trail.close();
    const kept = outcomes.filter(({ status }) => status === 'fulfilled').length;
    expect(await linesOf(directory, 'server-1')).toHaveLength(kept + 3);
    expect(await faultsOf(directory)).toEqual([]);
  },
);
