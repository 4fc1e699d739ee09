import { showCertificate } from '../../lib/certificates/show.ts';
import { confdirFiles } from '../../lib/core/config.ts';
import { askServer } from '../../lib/core/control.ts';
import { shownLines } from '../../lib/terminal/certificate-lines.ts';
import { command } from '../../lib/terminal/command.ts';

/** `cert show`: what is configured, and what the server that runs really presents. */
export default command({
  libraries: [],
  options: {},
  examples: ['ktadmin cert show', 'ktadmin cert show --json'],
  async run(_values, { settings: { confdir, configuration }, terminal }) {
    const shown = await showCertificate({
      settings: configuration,
      sslDirectory: confdirFiles(confdir).ssl,
      ask: async () => (await askServer(confdir, 'state'))?.value,
    });
    for (const warning of shown.warnings) terminal.warn(warning);
    return shown;
  },
  print: (shown, terminal) => terminal.write(shownLines(shown)),
});
