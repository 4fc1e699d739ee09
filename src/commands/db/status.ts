import { isExternal } from '../../lib/database/source.ts';
import { clusterStatus, hostsStatus } from '../../lib/database/status.ts';
import { openSource } from '../../lib/terminal/cluster.ts';
import { bareCommand } from '../../lib/terminal/command.ts';
import { pgRootdir } from '../../lib/terminal/options.ts';

/** `db status`: whether the database runs, and where it is. */
export default bareCommand({
  logForm: 'short',
  options: { pgRootdir },
  examples: ['ktadmin db status --json'],
  async run(values, context) {
    const { source } = await openSource(values.pgRootdir, context);
    const status = await (isExternal(source) ? hostsStatus(source) : clusterStatus(source));
    // Scripts ask by the exit status: 3 is "wrong state", as everywhere.
    if (!status.running) process.exitCode = 3;
    return status;
  },
  async print(status, terminal) {
    if ('hosts' in status)
      return terminal.write(status.hosts.map(({ name, says }) => `${name}  ${says}\n`).join(''));
    const silent = status.pid === null ? 'no' : `no answer (pid ${status.pid})`;
    const lines = Object.entries({
      running: status.running ? `yes (pid ${status.pid})` : silent,
      version: status.version,
      port: status.port,
      'socket directory': status.socketDirectory,
      'data directory': status.dataDirectory,
    });
    await terminal.write(lines.map(([name, value]) => `${name.padEnd(18)}${value}\n`).join(''));
  },
});
