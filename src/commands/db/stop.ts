import { stopServer } from '../../lib/database/server.ts';
import { openCluster } from '../../lib/terminal/cluster.ts';
import { bareCommand } from '../../lib/terminal/command.ts';
import { pgRootdir } from '../../lib/terminal/options.ts';

/** `db stop`: stops the private cluster; one that does not run is no error. */
export default bareCommand({
  logForm: 'short',
  options: { pgRootdir },
  examples: ['ktadmin db stop', 'ktadmin db --stop --pg-rootdir /var/lib/keytrustee/db'],
  async run(values, context) {
    const { cluster, account } = await openCluster(values.pgRootdir, context, 'nothing was stopped');
    const stopped = await context.terminal.step('stopping PostgreSQL', () => stopServer(cluster, account));
    context.terminal.notice(stopped ? 'PostgreSQL has stopped' : 'PostgreSQL was not running');
    return { running: false, stopped };
  },
});
