import { failure } from '../../lib/core/errors.ts';
import { randomSecret } from '../../lib/core/random.ts';
import { LOGGER } from '../../lib/organizations/add.ts';
import { setAuthorization } from '../../lib/organizations/change.ts';
import { checkNewSecret, checkOrganizationName, checkSecret } from '../../lib/organizations/names.ts';
import { withRecordedDatabase } from '../../lib/terminal/audit.ts';
import { command, flag, option } from '../../lib/terminal/command.ts';
import { askSecret } from '../../lib/terminal/prompts.ts';
import { readSecret } from '../../lib/terminal/secret.ts';
import { path } from '../../lib/terminal/values.ts';

/** `orgtool set-auth`: sets the authorization code of an organization. */
export default command({
  libraries: ['pg', 'inquirer'],
  options: {
    name: option('-n, --name <name>', 'the organization', checkOrganizationName).required(),
    secret: option(
      '-s, --secret <code>',
      'the code (other users can see it); "" lets clients in without a code',
      checkSecret,
    ),
    secretStdin: flag('--secret-stdin', 'read the code from the first line of standard input'),
    secretFile: option('--secret-file <file>', 'read the code from the first line of a file', path),
    generate: flag('--generate', 'make a random code and print it'),
  },
  examples: [
    'keytrustee-orgtool set-auth -n disaster-recov --generate',
    'pass kt/dr | ktadmin orgtool set-auth -n disaster-recov --secret-stdin',
  ],
  /** The code is read as the caller, whose file it is; undefined: it is asked for. */
  async asCaller({ secret, secretStdin, secretFile, generate }, { terminal }) {
    const given = [secret !== undefined, secretStdin, secretFile !== undefined, generate];
    const count = given.filter(Boolean).length;
    if (count > 1 || (count === 0 && !terminal.canAsk)) {
      const how = '-s, --secret-stdin, --secret-file or --generate';
      throw failure('usage', count > 1 ? `give only one of ${how}` : `give the code by ${how}`);
    }
    if (generate) return randomSecret();
    if (secretStdin || secretFile !== undefined) return checkNewSecret(await readSecret(secretFile));
    return secret;
  },
  async run({ name, secret, generate }, { settings, terminal }, prepared) {
    if (secret)
      terminal.warn('other users can see the code in the list of processes; --secret-stdin hides it');
    const code = prepared ?? (await askSecret(`New authorization code of ${name}`, checkNewSecret));
    await withRecordedDatabase(settings, (database, recorder) =>
      setAuthorization(database, name, code, recorder),
    );
    terminal.log(LOGGER, 'INFO', 'Setting authorization secret');
    if (code === '') terminal.warn(`${name} now lets every client in without a code`);
    return { name, automaticApproval: code === '', ...(generate ? { secret: code } : {}) };
  },
  async print({ secret }, terminal) {
    if (secret !== undefined) await terminal.write(`${secret}\n`);
  },
});
