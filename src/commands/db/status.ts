import { clusterStatus } from '../../lib/database/status.ts';
import { openCluster } from '../../lib/terminal/cluster.ts';
import { bareCommand } from '../../lib/terminal/command.ts';
import { pgRootdir } from '../../lib/terminal/options.ts';

/** `db status`: whether the private cluster runs, and where it is. */
export default bareCommand({
  logForm: 'short',
  options: { pgRootdir },
  examples: ['ktadmin db status --json'],
  async run(values, context) {
    const { cluster } = await openCluster(values.pgRootdir, context);
    const status = await clusterStatus(cluster);
    // Scripts ask by the exit status: 3 is "wrong state", as everywhere.
    if (!status.running) process.exitCode = 3;
    return status;
  },
  async print(status, terminal) {
    const lines = Object.entries({
      running: status.running ? `yes (pid ${status.pid})` : 'no',
      version: status.version,
      port: status.port,
      'socket directory': status.socketDirectory,
      'data directory': status.dataDirectory,
    });
    await terminal.write(lines.map(([name, value]) => `${name.padEnd(18)}${value}\n`).join(''));
  },
});
