/** Places for new servers, and `ktadmin init` in them. */
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isRoot, kt, type Outcome, type RunOptions, run, temporaryDirectory, world } from './sandbox.ts';

/** A place where there is no server yet. */
export interface Place {
  directory: string;
  confdir: string;
  pgRootdir: string;
  /** `ktadmin init` there, for the host kts01.example.com unless the arguments say otherwise. */
  init(args?: string[], options?: RunOptions): Promise<Outcome>;
}

/** A place below a directory; without one, below a temporary directory of the test's own. */
export async function freshPlace(parent?: string): Promise<Place> {
  const directory = parent ?? (await temporaryDirectory());
  const confdir = join(directory, '.keytrustee');
  const init = (args: string[] = [], options: RunOptions = {}) => {
    const address = args.includes('--external-address') ? [] : ['--external-address', 'kts01.example.com'];
    return kt('ktadmin', ['init', '--confdir', confdir, ...address, ...args], options);
  };
  return { directory, confdir, pgRootdir: join(directory, 'db'), init };
}

/** A place where the server's key has been made already, because that takes long. */
export async function placeWithKey(parent?: string): Promise<Place> {
  const place = await freshPlace(parent);
  const template = join(world.directory, 'template', '.keytrustee');
  await mkdir(place.confdir, { mode: 0o700 });
  await cp(join(template, 'pubring.kbx'), join(place.confdir, 'pubring.kbx'));
  await cp(join(template, 'private-keys-v1.d'), join(place.confdir, 'private-keys-v1.d'), {
    recursive: true,
  });
  await run('chmod', ['-R', 'go=', place.confdir]);
  if (isRoot) await run('chown', ['-R', `${world.account.uid}:${world.account.gid}`, place.confdir]);
  return place;
}
