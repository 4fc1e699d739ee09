import { refuseUnfinished } from '../../lib/core/unfinished.ts';
import { restartCurrent } from '../../lib/database/start.ts';
import { openCluster } from '../../lib/terminal/cluster.ts';
import { bareCommand } from '../../lib/terminal/command.ts';
import { surroundings, warnOfFence } from '../../lib/terminal/fence.ts';
import { pgRootdir } from '../../lib/terminal/options.ts';

/** `db restart`: stops the private cluster where it runs, and starts it. */
export default bareCommand({
  logForm: 'short',
  options: { pgRootdir },
  examples: ['ktadmin db restart'],
  async run(values, context) {
    const what = 'nothing was started anew';
    const opened = await openCluster(values.pgRootdir, context, what, refuseUnfinished);
    const { cluster, account } = opened;
    const restart = () =>
      restartCurrent(cluster, account, surroundings({ ...opened, source: cluster }, context));
    const { migrations, fenced } = await context.terminal.step('restarting PostgreSQL', restart);
    for (const name of migrations) context.terminal.notice(`applied migration ${name}`);
    context.terminal.notice(`PostgreSQL runs on port ${cluster.port}`);
    warnOfFence(fenced, context);
    return {
      running: true,
      started: true,
      port: cluster.port,
      migrations,
      ...(fenced === undefined ? {} : { fenced: true }),
    };
  },
});
