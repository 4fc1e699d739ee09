import type { ServerState } from '../../lib/client/client.ts';
import { STATUS } from '../../lib/core/errors.ts';
import { bareCommand } from '../../lib/terminal/command.ts';
import { reach, withClient } from '../../lib/terminal/machine.ts';

/** A server of which nobody would expect that it takes writes is told by its role. */
const READS_ONLY: ServerState['role'][] = ['passive', 'fenced'];

function wordsOf({ url, answers, ready, role, writes, reason }: ServerState): string {
  if (!answers) return reason ?? `${url} does not answer`;
  const isHeld = writes === false && !READS_ONLY.includes(role);
  const held = isHeld ? [`takes no writes${reason === null ? '' : `: ${reason}`}`] : [];
  return [url, role ?? 'answers', ...(ready ? [] : ['not ready']), ...held].join(', ');
}

/** `client status`: what the server says of this client, and how its servers are. */
export default bareCommand({
  options: reach,
  examples: ['keytrustee status --json'],
  async run(values, { terminal }) {
    const status = await withClient(values, terminal, (client) => client.status());
    // Scripts ask by the exit status, which is that of any other command while the state lasts.
    if (status.state === 'pending') process.exitCode = STATUS.state;
    if (status.state === 'disabled') process.exitCode = STATUS.permission;
    return status;
  },
  async print(status, terminal) {
    const { fingerprint, organization, name, state, servers } = status;
    const own = Object.entries({ fingerprint, organization, name, state });
    const lines = [...own, ...servers.map((server) => ['server', wordsOf(server)] as const)];
    await terminal.write(lines.map(([term, value]) => `${term.padEnd(14)}${value}\n`).join(''));
  },
});
