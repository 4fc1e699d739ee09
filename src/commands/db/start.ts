import { notifyManager } from '../../lib/core/notify.ts';
import { refuseUnfinished } from '../../lib/core/unfinished.ts';
import { waitForServer } from '../../lib/database/foreground.ts';
import { isExternal } from '../../lib/database/source.ts';
import { startCurrent } from '../../lib/database/start.ts';
import { openSource } from '../../lib/terminal/cluster.ts';
import { bareCommand, flag } from '../../lib/terminal/command.ts';
import { surroundings, warnOfFence } from '../../lib/terminal/fence.ts';
import { pgRootdir } from '../../lib/terminal/options.ts';
import type { Terminal } from '../../lib/terminal/terminal.ts';

/** The tables of a database elsewhere are this version's now: a service manager may start what comes after. */
async function startedNothing(terminal: Terminal, migrations: string[]) {
  terminal.notice('the database is elsewhere (DATABASE_URLS): nothing was started');
  await notifyManager('READY=1');
  return { running: true, started: false, port: null, migrations };
}

/** `db start`: starts the private cluster, waits until it answers, and brings its tables up to this version. */
export default bareCommand({
  logForm: 'short',
  options: {
    pgRootdir,
    foreground: flag(
      '--foreground',
      'stay until the server ends, for a service manager; SIGTERM stops it, with status 0',
    ),
    alone: flag(
      '--alone',
      'make an empty database also where the configuration is a copy of another server, or a join was cut off',
    ),
    background: flag('--background', 'return when the server answers (this is the default)').hidden(),
  },
  examples: ['ktadmin db start', 'ktadmin db --start --pg-rootdir /var/lib/keytrustee/db --background'],
  async run(values, context) {
    const { terminal } = context;
    const opened = await openSource(values.pgRootdir, context, refuseUnfinished);
    const { source, account } = opened;
    const start = () =>
      startCurrent(source, account, { ...surroundings(opened, context), isAlone: values.alone });
    const what = isExternal(source) ? 'bringing the tables up to date' : 'starting PostgreSQL';
    const { server, migrations, fenced } = await terminal.step(what, start);
    for (const name of migrations) terminal.notice(`applied migration ${name}`);
    if (isExternal(source)) return await startedNothing(terminal, migrations);
    terminal.notice(
      server === undefined
        ? `PostgreSQL was running already on port ${source.port}`
        : `PostgreSQL runs on port ${source.port}`,
    );
    warnOfFence(fenced, context);
    if (values.foreground) {
      await notifyManager('READY=1');
      return await waitForServer(source, server);
    }
    return {
      running: true,
      started: server !== undefined,
      port: source.port,
      migrations,
      ...(fenced === undefined ? {} : { fenced: true }),
    };
  },
});
