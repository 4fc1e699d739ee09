import { readConfiguration } from '../lib/core/configuration.ts';
import { explain, failure } from '../lib/core/errors.ts';
import { Continued } from '../lib/core/handover.ts';
import { Interrupted } from '../lib/core/interrupt.ts';
import { ownerOf } from '../lib/core/ownership.ts';
import { refuseUnfinished } from '../lib/core/unfinished.ts';
import { examine, STATES } from '../lib/health/diagnosis.ts';
import { bareCommand, type Context } from '../lib/terminal/command.ts';
import { checksOf, diagnosisLines } from '../lib/terminal/doctor.ts';
import { become } from '../lib/terminal/execute.ts';
import { sudoLine } from '../lib/terminal/sudo.ts';

/** Becomes the owner of the server and reads its settings; undefined where they are there and broken. */
async function open({ globals: { confdir }, terminal }: Context) {
  await refuseUnfinished(confdir);
  const account = await ownerOf(confdir, sudoLine);
  await become(account, terminal, { libraries: ['execa', 'pg'] });
  try {
    return { confdir, account, configuration: await readConfiguration(confdir) };
  } catch (error) {
    if (explain(error).code === 'failed') return undefined;
    throw error;
  }
}

/** What keeps it from looking at all is unknown to a monitoring plugin, whatever its own status would be. */
function unknown(error: unknown): unknown {
  if (error instanceof Continued || error instanceof Interrupted) return error;
  const { message, hint } = explain(error);
  return failure('state', message, hint, error);
}

/** `doctor`: whether everything is well, with the exit status of a monitoring plugin. */
export default bareCommand({
  options: {},
  examples: ['ktadmin doctor', 'ktadmin doctor --json'],
  async run(_values, context) {
    const settings = await open(context).catch((error: unknown) => {
      throw unknown(error);
    });
    const diagnosis = await examine(checksOf(context.globals.confdir, settings));
    process.exitCode = STATES.indexOf(diagnosis.state);
    return diagnosis;
  },
  print: (diagnosis, terminal) => terminal.write(diagnosisLines(diagnosis)),
});
