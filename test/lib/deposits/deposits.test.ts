/** Deposits without HTTPS: what the clock, the purge, a lost connection and an audit trail that fails do to them. */
import { chmod } from 'node:fs/promises';
import { connect as connectTo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Owner } from '../../../src/lib/deposits/deposit.ts';
import { getDeposit } from '../../../src/lib/deposits/get.ts';
import { purgeDeposits } from '../../../src/lib/deposits/purge.ts';
import { putDeposit } from '../../../src/lib/deposits/put.ts';
import { deleteDeposit, recoverDeposit } from '../../../src/lib/deposits/remove.ts';
import { aClient, fingerprint } from '../../support/deposits.ts';
import { sharedServer, temporaryDirectory } from '../../support/sandbox.ts';
import { ownerOf, wanted, withVault } from '../../support/vault.ts';

const server = sharedServer();
const SERVER = { who: 'account:keytrustee', from: 'local' };
let clients = 0;

/** A new client of an organization of its own. */
async function newOwner() {
  clients += 1;
  const name = `org-${clients}`;
  await server.orgtool(['add', '-n', name, '-c', 'root@localhost', '--quiet']);
  const digit = '0123456789ABCDEF'[clients] ?? '0';
  await server.query(aClient(name, digit));
  return ownerOf(fingerprint(digit));
}

/** SQL: the number of an owner's row. */
const numberOf = (owner: Owner) => `(select id from client where fingerprint = '${owner.fingerprint}')`;

test('what has expired or was used up is not there, its handle is free, and the purge takes it with a line in the trail', async () => {
  const owner = await newOwner();
  await withVault(server, async (vault) => {
    const put = async (text: string, more: object) =>
      (await putDeposit(vault, owner, wanted(text, more))).deposit;
    const old = await put('old', { handle: 'a', ttl: 60 });
    const once = await put('once', { handle: 'b', retrievals: 1 });
    const gone = await put('gone', { handle: 'c' });
    const kept = await put('kept', { handle: 'd', ttl: 60 });
    await deleteDeposit(vault, owner, { handle: 'c' });
    expect((await getDeposit(vault, owner, { handle: 'b' })).retrievalsLeft).toBe(0);
    await server.query(`update deposit set expires_at = now() where uuid = '${old.id}'`);
    for (const handle of ['a', 'b', 'c'])
      await expect(getDeposit(vault, owner, { handle })).rejects.toMatchObject({ code: 'not_found' });
    await expect(recoverDeposit(vault, owner, old.id, 30)).rejects.toMatchObject({ code: 'not_found' });
    await expect(recoverDeposit(vault, owner, once.id, 30)).rejects.toMatchObject({ code: 'not_found' });
    const next = await put('next', { handle: 'a' });
    expect(await purgeDeposits(vault, SERVER, 30)).toEqual({ expired: 1, deleted: 0 });
    expect(vault.events.at(-1)).toEqual({
      ...{ event: 'deposit.purge', ...SERVER, outcome: 'done' },
      what: { expired: 1, deleted: 0, deposits: old.id },
    });
    const days = `now() - interval '30 days'`;
    await server.query(
      `update deposit set deleted_at = ${days} + interval '1 minute' where uuid = '${gone.id}'`,
    );
    expect(await purgeDeposits(vault, SERVER, 30)).toEqual({ expired: 0, deleted: 0 });
    expect(await recoverDeposit(vault, owner, gone.id, 30)).toMatchObject({ id: gone.id, handle: 'c' });
    await deleteDeposit(vault, owner, { id: gone.id });
    await server.query(`update deposit set deleted_at = ${days} where uuid in ('${gone.id}', '${once.id}')`);
    await expect(recoverDeposit(vault, owner, gone.id, 30)).rejects.toMatchObject({ code: 'not_found' });
    expect(await purgeDeposits(vault, SERVER, 30)).toEqual({ expired: 0, deleted: 2 });
    const left = await server.query(
      `select string_agg(uuid, ' ' order by id) from deposit where client_id = ${numberOf(owner)}`,
    );
    expect(left).toBe(`${kept.id} ${next.id}`);
  });
});

test('a purge of more than one batch takes them all', async () => {
  const owner = await newOwner();
  await server.query(`insert into deposit (uuid, client_id, content, sha256, expires_at)
    select lpad(n::text, 43, '0'), ${numberOf(owner)}, 'x', sha256('x'), now() from generate_series(1, 250) as n`);
  await withVault(server, async (vault) => {
    expect(await purgeDeposits(vault, SERVER, 30)).toEqual({ expired: 250, deleted: 0 });
    expect(vault.events.map(({ what }) => what.expired)).toEqual([100, 100, 50]);
  });
});

test('what the audit trail cannot take does not happen', async () => {
  const owner = await newOwner();
  await withVault(server, async (vault) => {
    const { deposit } = await putDeposit(vault, owner, wanted('kept', { handle: 'kept', retrievals: 5 }));
    const full = async () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' }));
    const failing = { ...vault, trail: { change: full, note: full } };
    await expect(putDeposit(failing, owner, wanted('lost', { handle: 'lost' }))).rejects.toThrow('full');
    await expect(getDeposit(failing, owner, { handle: 'kept' })).rejects.toThrow('full');
    await expect(deleteDeposit(failing, owner, { handle: 'kept' })).rejects.toThrow('full');
    await server.query(`update deposit set expires_at = now() + interval '1 day'`);
    expect(
      await server.query(
        `select uuid, deleted_at, retrievals_left from deposit where client_id = ${numberOf(owner)}`,
      ),
    ).toBe(`${deposit.id}||5`);
    await server.query('update deposit set expires_at = now()');
    await expect(purgeDeposits(failing, SERVER, 30)).rejects.toThrow('full');
    expect(await server.query(`select count(*) from deposit where client_id = ${numberOf(owner)}`)).toBe('1');
    await server.query('update deposit set expires_at = null');
    expect((await getDeposit(vault, owner, { handle: 'kept' })).retrievalsLeft).toBe(4);
  });
});

/** A socket that leads to the database's, and goes silent for good when a client says `commit`, before or after that is passed on. */
async function cutAtCommit(passOn: boolean): Promise<string> {
  const directory = await temporaryDirectory();
  const own = `.s.PGSQL.${server.port}`;
  const proxy = createServer((client) => {
    const database = connectTo(join(server.pgRootdir, 'run', own));
    database.on('error', () => undefined);
    client.on('error', () => undefined);
    database.pipe(client);
    client.on('data', (data) => {
      const isCommit = data.includes('commit\0');
      if (isCommit) database.unpipe(client);
      if (!isCommit || passOn) database.write(data);
      // What was passed on is answered before the line is cut: so it was done.
      if (isCommit) passOn ? database.once('data', () => client.destroy()).resume() : client.destroy();
    });
    client.on('close', () => database.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(join(directory, own), resolve));
  onTestFinished(() => void proxy.close());
  await chmod(join(directory, own), 0o777);
  return directory;
}

test.each([
  { passOn: true, stored: '1', again: false },
  { passOn: false, stored: '0', again: true },
])(
  'a commit without an answer is no success, whether it was done ($passOn) or not, and a retry settles it',
  async ({ passOn, stored, again }) => {
    const owner = await newOwner();
    const deposit = wanted('precious', { handle: 'h' });
    const count = () => server.query(`select count(*) from deposit where client_id = ${numberOf(owner)}`);
    await withVault(
      server,
      async (vault) => {
        await expect(putDeposit(vault, owner, deposit)).rejects.toMatchObject({ code: 'unreachable' });
      },
      await cutAtCommit(passOn),
    );
    expect(await count()).toBe(stored);
    await withVault(server, async (vault) => {
      expect(await putDeposit(vault, owner, deposit)).toMatchObject({
        isNew: again,
        deposit: { handle: 'h' },
      });
      expect((await getDeposit(vault, owner, { handle: 'h' })).content.toString()).toBe('precious');
    });
    expect(await count()).toBe('1');
  },
);
