// Two hosts and the wires between them.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startHost } from './host.mjs';
import { cutLink, HOSTS, healLink, hostLines, layWires, mustBeOwnNetwork, removeWires } from './network.mjs';

/**
 * Makes two hosts that see each other. One pair at a time, in a network of its own. What it is given is told of at startHost;
 * `directory` is made for it.
 */
export async function makePair({ directory, shared, account, disk }) {
  mustBeOwnNetwork();
  const hosts = [];
  const end = async () => {
    if (hosts.length === 0) return;
    await Promise.all(hosts.map((host) => host.end()));
    hosts.length = 0;
    await removeWires();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    mkdirSync(directory, { mode: 0o755 });
    for (const host of HOSTS) {
      const own = join(directory, host.name.split('.')[0]);
      mkdirSync(own, { mode: 0o755 });
      hosts.push(
        await startHost({ host, directory: own, shared, account, hostLines: hostLines('link'), disk }),
      );
    }
    await layWires(hosts);
    return { hosts, cutLink: () => cutLink(hosts), healLink: () => healLink(hosts), end };
  } catch (error) {
    await end();
    throw error;
  }
}
