/** A machine that keeps its keys on a pair of hosts. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Host } from './hosts.ts';
import { kt, type Outcome, world } from './sandbox.ts';

/** The certificate with which a host serves. */
export async function certificateOf(host: Host): Promise<string> {
  return readFile(host.path(`${host.confdir}/.ssl/ssl-cert-keytrustee.pem`), 'utf8');
}

/** Registers a machine with the pair, whose active server is named first; returns how its client is called. */
export async function machineOf(first: Host, second: Host) {
  const directory = await mkdtemp(join(world.directory, 'machine-'));
  const ca = join(directory, 'ca.pem');
  await writeFile(ca, `${await certificateOf(first)}${await certificateOf(second)}`);
  const env = { KEYTRUSTEE_HOME: join(directory, '.keytrustee') };
  const keytrustee = (args: string[], input = ''): Promise<Outcome> => kt('keytrustee', args, { env, input });
  await first.must(['orgtool', 'add', '-n', 'machines', '-c', 'root@localhost']);
  const organizations = await first.must(['orgtool', 'list', '-n', 'machines']);
  const { auth_secret: code } = (JSON.parse(organizations) as { machines: { auth_secret: string } }).machines;
  const servers = ['-s', `https://${first.name}`, '--passive-server', `https://${second.name}`];
  const words = ['register', ...servers, '-o', 'machines', '--auth-stdin', '--ca-file', ca];
  const registered = await keytrustee(words, `${code}\n`);
  if (registered.status !== 0) throw new Error(registered.stderr);
  return keytrustee;
}
