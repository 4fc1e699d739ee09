import { readFile } from 'node:fs/promises';
import { registerClient } from '../../lib/client/client.ts';
import { failure } from '../../lib/core/errors.ts';
import { bareCommand, flag, option } from '../../lib/terminal/command.ts';
import { reach, reachOf } from '../../lib/terminal/machine.ts';
import { askSecret } from '../../lib/terminal/prompts.ts';
import { readSecret } from '../../lib/terminal/secret.ts';
import type { Terminal } from '../../lib/terminal/terminal.ts';
import { path } from '../../lib/terminal/values.ts';

/** The authorization code, from wherever it comes; undefined: without one. */
async function codeOf(
  { auth, authStdin }: { auth: string | undefined; authStdin: boolean },
  terminal: Terminal,
): Promise<string | undefined> {
  if (auth !== undefined && authStdin) throw failure('usage', 'give only one of --auth and --auth-stdin');
  if (auth) terminal.warn('other users can see the code in the list of processes; --auth-stdin hides it');
  if (auth !== undefined) return auth === '' ? undefined : auth;
  if (!authStdin && !terminal.canAsk) return undefined;
  const code = authStdin
    ? await readSecret()
    : await askSecret('Authorization code (none: an administrator approves)', (text) => text);
  return code === '' ? undefined : code;
}

/** `client register`: makes this machine known to a server. */
export default bareCommand({
  options: {
    server: option('-s, --server <url>', 'the server: https://HOST[:PORT], the port 11371 by default'),
    passiveServer: option(
      '--passive-server <url>',
      'the passive server, for when the server does not answer',
    ),
    org: option('-o, --org <name>', 'the organization'),
    auth: option('--auth <code>', 'its authorization code (other users can see it)'),
    authStdin: flag('--auth-stdin', 'read the code from the first line of standard input'),
    name: option('-n, --name <name>', "what administrators see (default: this host's name)"),
    clientname: option('--clientname <name>', 'the same, as navencrypt has it').hidden(),
    caFile: option('--ca-file <file>', 'PEM certificates that vouch for the server; they are kept', path),
    skipSslCheck: flag('--skip-ssl-check', 'believe whoever answers; for trials only'),
    ...reach,
  },
  examples: [
    'keytrustee register --server https://kts01.example.com:11371 --org disaster-recov --ca-file /etc/ssl/kts01.pem',
    'pass kt/dr | keytrustee register -s https://kts01.example.com -o disaster-recov --auth-stdin',
  ],
  async run({ server, passiveServer, org, caFile, skipSslCheck, ...values }, { terminal }) {
    if (caFile !== undefined && skipSslCheck)
      throw failure('usage', 'give only one of --ca-file and --skip-ssl-check');
    const name = values.name ?? values.clientname;
    const code = await codeOf(values, terminal);
    return registerClient({
      ...reachOf(values, terminal),
      ...(server === undefined ? {} : { server }),
      ...(passiveServer === undefined ? {} : { passiveServer }),
      ...(org === undefined ? {} : { organization: org }),
      ...(name === undefined ? {} : { name }),
      ...(code === undefined ? {} : { code }),
      ...(caFile === undefined ? {} : { caCertificate: await readFile(caFile, 'utf8') }),
      ...(skipSslCheck ? { skipSslCheck } : {}),
    });
  },
  async print({ fingerprint, organization, state }, terminal) {
    await terminal.write(`${fingerprint}\n`);
    if (state === 'active') terminal.notice(`registered with ${organization}`);
    else {
      terminal.notice(`an administrator of ${organization} must approve this client`);
      terminal.notice('keytrustee status tells when it is active');
    }
  },
});
