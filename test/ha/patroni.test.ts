/** Two stateless servers on a PostgreSQL under Patroni, whose leader is killed while clients put and get. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openClient } from '../../src/lib/client/client.ts';
import { give } from '../support/faults.ts';
import { certifyLocalhost, organizationCode, registeredMachine } from '../support/keytrustee.ts';
import { type PatroniCluster, type PatroniMember, patroniCluster } from '../support/patroni.ts';
import { type TestServer, testServer } from '../support/sandbox.ts';
import { configure, serving } from '../support/serving.ts';

const has = (program: string) => {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`]);
    return true;
  } catch {
    return false;
  }
};

async function eventually<T>(what: string, seconds: number, look: () => Promise<T | undefined>): Promise<T> {
  const limit = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > limit) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function which(
  { members }: PatroniCluster,
  what: 'primary' | 'synchronous',
): Promise<PatroniMember | undefined> {
  for (const member of members) if (await member.is(what)) return member;
  return undefined;
}

async function stateless(cluster: PatroniCluster): Promise<TestServer> {
  const server = await testServer({ start: false });
  await rm(server.pgRootdir, { recursive: true });
  const passwords = join(server.confdir, 'database-password');
  await writeFile(passwords, `${cluster.password}\n`);
  await chmod(passwords, 0o600);
  await give(passwords);
  await configure(server, {
    ...{ DATABASE_URLS: cluster.urls, DATABASE_PASSWORD_FILE: passwords, METRICS_PORT: 0 },
    ...{ MAIL_TRANSPORT: 'none', RATE_LIMIT_ADDRESS: 100_000, RATE_LIMIT_CLIENT: 100_000 },
  });
  return server;
}

test.skipIf(!has('patroni') || !has('etcd'))(
  'the leader is killed under load: no acknowledged put is lost, and reads go on',
  { timeout: 300_000 },
  async () => {
    const cluster = await patroniCluster(onTestFinished);
    const first = await eventually('a member takes writes', 60, () => which(cluster, 'primary')).catch(
      async (error) => {
        throw new Error(`${error}\n${(await cluster.log()).slice(-3000)}`);
      },
    );
    await cluster.query(first, 'postgres', `create role keytrustee login password '${cluster.password}'`);
    await eventually('another one follows it', 90, () => which(cluster, 'synchronous'));
    await cluster.query(first, 'postgres', 'create database keytrustee owner keytrustee');
    const servers = [await stateless(cluster), await stateless(cluster)];
    const [server] = servers as [TestServer];
    expect((await server.ktadmin(['db', 'start'])).status).toBe(0);
    const code = await organizationCode(server, 'prod');

    const kept: (() => Promise<string | undefined>)[] = [];
    let over = false;
    let longestWrite = 0;
    let longestRead = 0;
    const failures: string[] = [];
    const loops: Promise<void>[] = [];
    for (const each of servers) {
      await certifyLocalhost(each);
      const { port } = await serving(each);
      const machine = await registeredMachine(each, { port, organization: 'prod', code });
      const client = await openClient({ home: machine.home, timeout: 90_000 });
      onTestFinished(async () => client.close());
      const write = async () => {
        while (!over) {
          const content = randomBytes(500);
          const began = performance.now();
          const { id } = await client.put(content);
          longestWrite = Math.max(longestWrite, performance.now() - began);
          kept.push(async () => {
            const { content: got } = await client.get(id);
            return Buffer.from(got).equals(content) ? undefined : id;
          });
        }
      };
      const { id } = await client.put(Buffer.from('read all the time'));
      const read = async () => {
        while (!over) {
          const began = performance.now();
          const { content } = await client.get(id);
          longestRead = Math.max(longestRead, performance.now() - began);
          if (Buffer.from(content).toString() !== 'read all the time') failures.push('another content');
        }
      };
      for (const loop of [write, write, read])
        loops.push(loop().catch((error: unknown) => void failures.push(String(error))));
    }
    await eventually('there is load', 30, async () => (kept.length >= 50 ? true : undefined));
    await first.kill();
    const before = kept.length;
    await eventually('writes go on', 120, async () => (kept.length >= before + 50 ? true : undefined));
    over = true;
    await Promise.all(loops);
    expect(failures).toEqual([]);

    const next = await eventually('there is another leader', 10, () => which(cluster, 'primary'));
    expect(next.port).not.toBe(first.port);
    const lost: (string | undefined)[] = [];
    for (const look of kept) lost.push(await look().catch(String));
    expect(lost.filter((each) => each !== undefined)).toEqual([]);
    console.log(
      `patroni: ${kept.length} puts acknowledged, none lost; longest write ${Math.round(longestWrite)} ms, longest read ${Math.round(longestRead)} ms`,
    );
  },
);
