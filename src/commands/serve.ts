import { openServerTrail } from '../lib/audit/settings.ts';
import { serve } from '../lib/server/serve.ts';
import { command, option } from '../lib/terminal/command.ts';
import { integer, port } from '../lib/terminal/values.ts';

/** `serve`: the HTTPS server, in the foreground. */
export default command({
  options: {
    port: option('--port <port>', 'the port of HTTPS, instead of PORT in keytrustee.conf', port),
    workers: option('--workers <n>', 'how many processes serve, instead of WORKERS', integer(1, 64)),
  },
  examples: ['ktadmin serve', 'ktadmin serve --workers 4'],
  async run(values, { settings, globals }) {
    const { PORT, WORKERS } = settings.configuration;
    await serve({
      settings,
      port: values.port ?? PORT,
      workers: values.workers ?? WORKERS,
      level: globals.verbose ? 'debug' : globals.quiet ? 'warn' : 'info',
      openTrail: (worker) => openServerTrail(settings, worker),
    });
  },
});
