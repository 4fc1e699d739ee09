import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { confdirFiles, DEFAULT_DATABASE_PORT, DEFAULT_PORT, environment } from '../lib/core/config.ts';
import { exists } from '../lib/core/files.ts';
import { initialize } from '../lib/setup/initialize.ts';
import { chooseOwner, prepareDirectory } from '../lib/setup/owner.ts';
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
      'name by which clients reach this server (default: this host’s)',
      host,
    ),
    port: option('--port <port>', 'port of HTTPS', port).default(DEFAULT_PORT),
    databasePort: option('--database-port <port>', 'port of the private PostgreSQL cluster', port).default(
      DEFAULT_DATABASE_PORT,
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
    const pgRootdir = values.pgRootdir ?? join(dirname(confdir), 'db');
    const isNew = !(await exists(confdirFiles(confdir).configuration).catch(() => true));
    const ask = isNew && values.externalAddress === undefined && terminal.canAsk && !globals.json;
    const externalAddress = ask
      ? await askText('Name by which clients reach this server', hostname(), host)
      : (values.externalAddress ?? host(hostname()));
    const notice = (text: string) => terminal.notice(text);
    const account = await chooseOwner(confdir, {
      name: values.user ?? environment.account,
      sudoLine,
      notice,
    });
    for (const directory of [confdir, pgRootdir]) await prepareDirectory(directory, account);
    await become(account, terminal);
    const request = {
      confdir,
      externalAddress,
      port: values.port,
      databasePort: values.databasePort,
      pgRootdir,
    };
    return initialize(request, account, terminal);
  },
  print: (result, terminal) => terminal.write(`Initialized directory for ${result.fingerprint}\n`),
});
