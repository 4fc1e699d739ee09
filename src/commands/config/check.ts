import { failure } from '../../lib/core/errors.ts';
import { ownerOf } from '../../lib/core/ownership.ts';
import { checkServer } from '../../lib/setup/check.ts';
import { bareCommand } from '../../lib/terminal/command.ts';
import { become } from '../../lib/terminal/execute.ts';
import { sudoLine } from '../../lib/terminal/sudo.ts';

/** `config check`: every fault of `keytrustee.conf` and of the files it names, all at once. */
export default bareCommand({
  options: {},
  examples: ['ktadmin config check'],
  async run(_values, { globals, terminal }) {
    await become(await ownerOf(globals.confdir, sudoLine), terminal);
    const { faults, warnings } = await checkServer(globals.confdir);
    for (const warning of warnings) terminal.warn(warning);
    if (faults.length > 0)
      throw failure(
        'failed',
        `${globals.confdir}/keytrustee.conf has faults:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
      );
    return { faults, warnings };
  },
  print: (_result, terminal) => terminal.notice('no faults'),
});
