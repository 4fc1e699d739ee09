import { serve } from '../lib/server/serve.ts';
import { command, option } from '../lib/terminal/command.ts';
import { port } from '../lib/terminal/values.ts';

/** `serve`: the HTTPS server, in the foreground. */
export default command({
  libraries: ['fastify', 'pg', 'pino'],
  options: {
    port: option('--port <port>', 'the port of HTTPS, instead of PORT in keytrustee.conf', port),
  },
  examples: ['ktadmin serve'],
  async run({ port: given }, { settings, terminal }) {
    const trail = { change: async () => undefined, note: async () => undefined };
    await serve({
      settings,
      port: given ?? settings.configuration.PORT,
      trail,
      listening: (address) => terminal.notice(`listening on ${address}`),
    });
  },
});
