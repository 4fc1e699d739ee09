import { hostname } from 'node:os';
import { confdirFiles, DEFAULT_DATABASE_PORT, DEFAULT_PORT, environment } from '../lib/core/config.ts';
import { exists } from '../lib/core/files.ts';
import { receiveHandover } from '../lib/core/handover.ts';
import { refuseUnfinished } from '../lib/core/unfinished.ts';
import { initialize } from '../lib/setup/initialize.ts';
import { prepareServer } from '../lib/setup/owner.ts';
import { planServer } from '../lib/setup/request.ts';
import { recordServer } from '../lib/terminal/audit.ts';
import { bareCommand, option } from '../lib/terminal/command.ts';
import { become } from '../lib/terminal/execute.ts';
import { askText } from '../lib/terminal/prompts.ts';
import { sudoLine } from '../lib/terminal/sudo.ts';
import { host, path, port } from '../lib/terminal/values.ts';

/** `init`: makes a server, or what is missing of one. */
export default bareCommand({
  logForm: 'short',
  options: {
    externalAddress: option(
      '--external-address <fqdn>',
      'name by which clients reach this server (default: the name of this host)',
      host,
    ),
    port: option('--port <port>', `port of HTTPS (default: ${DEFAULT_PORT})`, port),
    databasePort: option(
      '--database-port <port>',
      `port of the private PostgreSQL cluster (default: ${DEFAULT_DATABASE_PORT})`,
      port,
    ),
    pgRootdir: option(
      '--pg-rootdir <dir>',
      'where the PostgreSQL cluster lies (default: db beside the configuration)',
      path,
    ),
    user: option(
      '--user <name>',
      'service account, when root makes the server (default: $KTADMIN_USER, else keytrustee)',
    ),
  },
  examples: [
    'ktadmin init --external-address kts01.example.com',
    'ktadmin init --confdir /srv/kt/.keytrustee --pg-rootdir /srv/kt/db',
  ],
  async run(values, { globals, terminal }) {
    const { confdir } = globals;
    const { user, ...typed } = values;
    await refuseUnfinished(confdir);
    const isNew = !(await exists(confdirFiles(confdir).configuration).catch(() => true));
    const isUnnamed = isNew && typed.externalAddress === undefined;
    const handed = await receiveHandover();
    const ask = isUnnamed && handed === undefined && terminal.canAsk && !globals.json;
    const proposal = ask
      ? await askText('Name by which clients reach this server', hostname(), host)
      : ((handed?.prepared as string | undefined) ?? hostname());
    const request = planServer(confdir, typed, isUnnamed ? host(proposal) : proposal);
    const account = await prepareServer(request, isNew, {
      name: user,
      fallback: environment.account,
      sudoLine,
      notice: (text) => terminal.notice(text),
    });
    await become(account, terminal, { prepared: proposal });
    const result = await initialize(request, account, terminal);
    const { fingerprint, made } = result;
    if (Object.values(made).some(Boolean))
      await recordServer({ confdir, account }, 'server.init', { fingerprint, ...made });
    return result;
  },
  print: (result, terminal) => terminal.write(`Initialized directory for ${result.fingerprint}\n`),
});
