import { migrate } from '../../lib/database/migrations.ts';
import { startServer, stopServer } from '../../lib/database/server.ts';
import { openCluster } from '../../lib/terminal/cluster.ts';
import { bareCommand } from '../../lib/terminal/command.ts';
import { pgRootdir } from '../../lib/terminal/options.ts';

/** `db restart`: stops the private cluster where it runs, and starts it. */
export default bareCommand({
  logForm: 'short',
  options: { pgRootdir },
  examples: ['ktadmin db restart'],
  async run(values, context) {
    const { cluster, account } = await openCluster(values.pgRootdir, context);
    await context.terminal.step('restarting PostgreSQL', async () => {
      await stopServer(cluster, account);
      await startServer(cluster, account);
    });
    const migrations = await migrate(cluster);
    for (const name of migrations) context.terminal.notice(`applied migration ${name}`);
    context.terminal.notice(`PostgreSQL runs on port ${cluster.port}`);
    return { running: true, started: true, port: cluster.port, migrations };
  },
});
