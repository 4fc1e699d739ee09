import { notifyManager } from '../../lib/core/notify.ts';
import { refuseUnfinished } from '../../lib/core/unfinished.ts';
import { waitForServer } from '../../lib/database/foreground.ts';
import { startCurrent } from '../../lib/database/start.ts';
import { openCluster } from '../../lib/terminal/cluster.ts';
import { bareCommand, flag } from '../../lib/terminal/command.ts';
import { surroundings, warnOfFence } from '../../lib/terminal/fence.ts';
import { pgRootdir } from '../../lib/terminal/options.ts';

/** `db start`: starts the private cluster, waits until it answers, and brings its tables up to this version. */
export default bareCommand({
  logForm: 'short',
  options: {
    pgRootdir,
    foreground: flag(
      '--foreground',
      'stay until the server ends, for a service manager; SIGTERM stops it, with status 0',
    ),
    background: flag('--background', 'return when the server answers (this is the default)').hidden(),
  },
  examples: ['ktadmin db start', 'ktadmin db --start --pg-rootdir /var/lib/keytrustee/db --background'],
  async run(values, context) {
    const { terminal } = context;
    const opened = await openCluster(values.pgRootdir, context, refuseUnfinished);
    const { cluster, account } = opened;
    const start = () => startCurrent(cluster, account, surroundings(opened, context));
    const { server, migrations, fenced } = await terminal.step('starting PostgreSQL', start);
    for (const name of migrations) terminal.notice(`applied migration ${name}`);
    terminal.notice(
      server === undefined
        ? `PostgreSQL was running already on port ${cluster.port}`
        : `PostgreSQL runs on port ${cluster.port}`,
    );
    warnOfFence(fenced, context);
    if (values.foreground) {
      await notifyManager('READY=1');
      return await waitForServer(cluster, server);
    }
    return {
      running: true,
      started: server !== undefined,
      port: cluster.port,
      migrations,
      ...(fenced === undefined ? {} : { fenced: true }),
    };
  },
});
