import { failure } from '../../lib/core/errors.ts';
import { readFirstLine } from '../../lib/core/files.ts';
import { randomSecret } from '../../lib/core/random.ts';
import { LOGGER } from '../../lib/organizations/add.ts';
import { setAuthorization } from '../../lib/organizations/change.ts';
import { checkOrganizationName, checkSecret } from '../../lib/organizations/names.ts';
import { command, flag, option } from '../../lib/terminal/command.ts';
import { withServerDatabase } from '../../lib/terminal/database.ts';
import { askSecret } from '../../lib/terminal/prompts.ts';
import { path } from '../../lib/terminal/values.ts';

/** `orgtool set-auth`: sets the authorization code of an organization. */
export default command({
  options: {
    name: option('-n, --name <name>', 'the organization', checkOrganizationName).required(),
    secret: option(
      '-s, --secret <code>',
      'the code; "" lets clients in without one (others can see arguments)',
      checkSecret,
    ),
    secretStdin: flag('--secret-stdin', 'read the code from standard input'),
    secretFile: option('--secret-file <file>', 'read the code from the first line of a file', path),
    generate: flag('--generate', 'make a random code'),
  },
  examples: [
    'keytrustee-orgtool set-auth -n disaster-recov --generate',
    'pass kt/dr | ktadmin orgtool set-auth -n disaster-recov --secret-stdin',
  ],
  async run({ name, secret, secretStdin, secretFile, generate }, { settings, terminal }) {
    const given = [secret !== undefined, secretStdin, secretFile !== undefined, generate].filter(
      Boolean,
    ).length;
    if (given > 1 || (given === 0 && !terminal.canAsk)) {
      throw failure('usage', 'give exactly one of -s, --secret-stdin, --secret-file and --generate');
    }
    if (secret !== undefined && secret !== '') {
      terminal.warn(
        'a code given as an argument can be seen by other users; --secret-stdin and --secret-file hide it',
      );
    }
    const code = generate
      ? randomSecret()
      : (secret ??
        checkSecret(given === 0 ? await askSecret(`New code of ${name}`) : await readFirstLine(secretFile)));
    await withServerDatabase(settings, (database) => setAuthorization(database, name, code));
    terminal.log(LOGGER, 'INFO', 'Setting authorization secret');
    if (code === '') terminal.warn(`${name} now lets every client in without a code`);
    return { name, automaticApproval: code === '' };
  },
});
