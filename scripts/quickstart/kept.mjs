// The words with which the quickstart hands over what `--keep` left.
import { dirname } from 'node:path';

/** What `--keep` left, how to try it, and how to remove all of it. */
export function describeKept({ directory, bin, confdir, keyring, administrator, backups, account }) {
  const recipient = '--gpg-recipient=ka@example.com';
  const lines = [
    '',
    `Kept: ${directory}${account.isOurs ? ` and the account ${account.name}` : ''}. To try things:`,
    `    export PATH=${bin}:$PATH KEYTRUSTEE_CONFDIR=${confdir}`,
    '    ktadmin db start',
    '    keytrustee-orgtool list',
    `    GNUPGHOME=${keyring} ktbackup ${recipient} --output=${backups}`,
    `    ktadmin restore ${backups}/FILE --gnupg-home ${administrator}`,
    'To remove all of it:',
    `    ktadmin db stop --pg-rootdir ${dirname(confdir)}/db`,
    `    gpgconf --homedir ${administrator} --kill all`,
    `    rm -rf ${directory}`,
  ];
  if (account.isOurs) lines.push(`    userdel ${account.name}`);
  return lines.join('\n');
}
