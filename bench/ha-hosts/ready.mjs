// From nothing to a pair that serves, as the administrator of two hosts types it.
import { join } from 'node:path';
import { must } from './network.mjs';

async function type(host, ...words) {
  const { status, stderr } = await host.ktadmin(words);
  if (status !== 0) throw new Error(`ktadmin ${words.join(' ')} on ${host.name}: ${stderr}`);
}

/** Copies the configuration directory to the other host, as the procedure has it. */
export async function copyConfiguration(active, passive) {
  const from = join(active.place, '.keytrustee');
  await must(['rsync', '-zcav', '--exclude', '.ssl', from, `${passive.place}/`]);
}

/**
 * Makes a pair of two hosts on which there is nothing: `configure` is called when the active has its configuration, `serve`
 * for each host when it can serve. A host knows `name`, `place` and `ktadmin(args)`.
 */
export async function makeReady([active, passive], { configure = async () => undefined, serve }) {
  await type(active, 'init', '--external-address', active.name);
  await configure(active);
  await type(active, 'db', 'start');
  await serve(active);
  await copyConfiguration(active, passive);
  await type(passive, 'init', '--external-address', passive.name);
  await type(passive, 'ha', 'join', '--active', active.name);
  await type(active, 'ha', 'sync', 'on');
  await serve(passive);
}
