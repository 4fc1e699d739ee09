import { postTest } from '../../lib/notices/post.ts';
import { checkEmail } from '../../lib/organizations/names.ts';
import { command, option } from '../../lib/terminal/command.ts';

/** `mail test`: sends a mail at once and says who took it over. */
export default command({
  libraries: ['execa', 'mimeNode', 'nodemailer'],
  options: { to: option('--to <address>', 'where the mail is to go', checkEmail).required() },
  examples: ['ktadmin mail test --to finn@example.com'],
  run: async ({ to }, { settings, terminal }) => {
    const accepted = await terminal.step(`sending to ${to}`, () => postTest(settings, to));
    return { to, ...accepted };
  },
  async print({ to, by, answer }, terminal) {
    await terminal.write(`${by} took the mail to ${to} over: ${answer}\n`);
    terminal.notice(
      'whether it arrives is not known yet: look into the mailbox, or the log of the mail server',
    );
  },
});
