import { runInteractively } from '../../lib/core/process.ts';
import { withDatabase } from '../../lib/database/connection.ts';
import { interactivePsql } from '../../lib/database/dump.ts';
import { openSource } from '../../lib/terminal/cluster.ts';
import { bareCommand } from '../../lib/terminal/command.ts';
import { pgRootdir } from '../../lib/terminal/options.ts';

/** `db psql`: psql on the server's database; what stands after `--` goes to psql, and its exit status is ours. */
export default bareCommand({
  logForm: 'short',
  options: { pgRootdir },
  words: '[arguments...]',
  examples: ['ktadmin db psql', 'ktadmin db psql -- -c "select name from organization"'],
  async run(values, context) {
    const { source, account } = await openSource(values.pgRootdir, context);
    // psql itself would end with 2, which is wrong usage everywhere else. Which database is asked for is psql's affair.
    await withDatabase(source, (database) => database.query('select 1'), 'postgres');
    const { program, args, variables } = await interactivePsql(source, context.args);
    process.exitCode = await runInteractively(program, args, account.home, variables);
  },
});
