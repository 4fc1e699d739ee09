// The network of the two hosts of a pair, and of the machine that is their client: names, addresses and the wires between them.
import { execFile } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** System programs lie where an ordinary PATH may not look. */
export const PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;

/**
 * The two hosts. `link` is the address at which they see each other, by a wire of their own; at `address` the client sees a
 * host, by another wire, whose other end is `gateway`. All are addresses for documentation (RFC 5737).
 */
export const HOSTS = [
  { name: 'kt01.example.com', link: '192.0.2.1', address: '198.51.100.2', gateway: '198.51.100.1' },
  { name: 'kt02.example.com', link: '192.0.2.2', address: '198.51.100.6', gateway: '198.51.100.5' },
];

/** Lines of /etc/hosts, with the addresses that are good for whoever reads them. */
export function hostLines(which) {
  return HOSTS.map((host) => `${host[which]} ${host.name} ${host.name.split('.')[0]}\n`).join('');
}

const ENTER = `set -e
ip link set lo up
hosts=$(mktemp)
{ cat /etc/hosts; printf '%s' "$HOST_LINES"; } >"$hosts"
chmod 644 "$hosts"
mount --bind "$hosts" /etc/hosts
rm "$hosts"
unset HOST_LINES
KT_HA_NETWORK=$(readlink /proc/self/ns/net)
export KT_HA_NETWORK
exec "$@"`;

/**
 * The words that run a program on a network of its own, where it is the pair's client and nothing of it is seen by the
 * machine. The network is gone when the last of its processes has ended. `HOST_LINES` has to be in the environment.
 */
export function inOwnNetwork(words) {
  return ['unshare', '--net', '--mount', '--propagation', 'private', 'sh', '-c', ENTER, 'sh', ...words];
}

/** The environment that `inOwnNetwork` needs. */
export function networkEnvironment() {
  return { ...process.env, PATH, HOST_LINES: hostLines('address') };
}

/** Whether this process is in such a network. */
export function isOwnNetwork() {
  return process.env.KT_HA_NETWORK === readlinkSync('/proc/self/ns/net');
}

/** Refuses to lay wires in the machine's own network. */
export function mustBeOwnNetwork() {
  if (isOwnNetwork()) return;
  throw new Error('hosts need a network of their own: npm run test:ha -- FILE runs a test in one');
}

/** Runs a program of the system that must work; returns its standard output. */
export async function must(words) {
  try {
    const { stdout } = await execute(words[0], words.slice(1), { env: { ...process.env, PATH }, cwd: '/' });
    return stdout;
  } catch (error) {
    throw new Error(`${words.join(' ')}: ${error.stderr || error.message}`);
  }
}

const wireName = ({ name }) => name.split('.')[0];

/** Takes the client's ends of the wires away; what has none stays as it is. */
export async function removeWires() {
  for (const host of HOSTS) await must(['ip', 'link', 'del', wireName(host)]).catch(() => undefined);
}

/** Lays the wires: between the two hosts (`link` on both), and from each to the client (`net` on the host). */
export async function layWires(hosts) {
  await removeWires();
  const [one, other] = hosts;
  const end = (host) => ['name', 'link', 'netns', String(host.pid)];
  await must(['ip', 'link', 'add', ...end(one), 'type', 'veth', 'peer', ...end(other)]);
  for (const host of hosts) {
    const wire = wireName(host);
    const far = ['name', 'net', 'netns', String(host.pid)];
    await must(['ip', 'link', 'add', wire, 'type', 'veth', 'peer', ...far]);
    await must(['ip', 'address', 'add', `${host.gateway}/30`, 'dev', wire]);
    await must(['ip', 'link', 'set', wire, 'up']);
    const inside = (...words) => must(host.words('ip', words));
    await inside('address', 'add', `${host.address}/30`, 'dev', 'net');
    await inside('address', 'add', `${host.link}/24`, 'dev', 'link');
    await inside('link', 'set', 'dev', 'net', 'up');
    await inside('link', 'set', 'dev', 'link', 'up');
  }
}

/** Loses every packet between the hosts, in both directions, those of open connections too; nobody is told. */
export async function cutLink(hosts) {
  const rule =
    'table inet cut { chain arriving { type filter hook input priority 0; iifname "link" drop; }; }';
  await Promise.all(hosts.map((host) => must(host.words('nft', [rule]))));
}

/** Lets packets pass again. */
export async function healLink(hosts) {
  await Promise.all(
    hosts.map((host) => must(host.words('nft', ['delete table inet cut'])).catch(() => undefined)),
  );
}
