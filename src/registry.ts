import type { Command, CommandNode } from './lib/terminal/command.ts';

type Loader = () => Promise<{ default: Command }>;

/** Every command by the words typed, what it does in a line, and where it is. A command's module loads only when it runs. */
const COMMANDS: [words: string, summary: string, load?: Loader][] = [
  ['init', 'make a server, or what is missing of one', () => import('./commands/init.ts')],
  [
    'doctor',
    'whether everything is well, for people and for monitoring',
    () => import('./commands/doctor.ts'),
  ],
  ['db', 'the private PostgreSQL cluster'],
  ['db start', 'start it and wait until it answers', () => import('./commands/db/start.ts')],
  ['db stop', 'stop it', () => import('./commands/db/stop.ts')],
  ['db restart', 'stop it and start it again', () => import('./commands/db/restart.ts')],
  ['db status', 'whether it runs, and where it is', () => import('./commands/db/status.ts')],
  ['db psql', "psql on the server's database", () => import('./commands/db/psql.ts')],
  ['orgtool', 'organizations, their administrators and clients'],
  [
    'orgtool add',
    'add an organization, or contacts to one that exists',
    () => import('./commands/orgtool/add.ts'),
  ],
  ['orgtool list', 'list the organizations as JSON', () => import('./commands/orgtool/list.ts')],
  [
    'orgtool set-auth',
    "set an organization's authorization code",
    () => import('./commands/orgtool/set-auth.ts'),
  ],
  [
    'orgtool enable-client',
    'approve a client, or start a stopped one again',
    () => import('./commands/orgtool/enable-client.ts'),
  ],
  ['orgtool disable-client', 'stop a client', () => import('./commands/orgtool/disable-client.ts')],
  [
    'orgtool activate-client',
    'approve a client that asks for it',
    () => import('./commands/orgtool/activate-client.ts'),
  ],
  ['orgtool list-clients', 'list the clients', () => import('./commands/orgtool/list-clients.ts')],
  [
    'orgtool remove-contact',
    'take an administrator off an organization',
    () => import('./commands/orgtool/remove-contact.ts'),
  ],
  [
    'orgtool disable',
    'stop an organization and all its clients',
    () => import('./commands/orgtool/disable.ts'),
  ],
  ['orgtool enable', "let an organization's clients in again", () => import('./commands/orgtool/enable.ts')],
  [
    'orgtool remove',
    'remove an organization that has no clients',
    () => import('./commands/orgtool/remove.ts'),
  ],
  ['backup', 'write a backup set', () => import('./commands/backup.ts')],
  [
    'backup verify',
    'check a backup set: whole, authentic, complete',
    () => import('./commands/backup/verify.ts'),
  ],
  ['backup drill', 'restore a set to see that it comes back', () => import('./commands/backup/drill.ts')],
  [
    'backup list',
    'list the backup sets, and what is known of them',
    () => import('./commands/backup/list.ts'),
  ],
  ['backup schedule', 'have cron or systemd make backups', () => import('./commands/backup/schedule.ts')],
  ['ha', 'a pair of servers: an active one and a passive one'],
  ['ha join', 'make this server the passive one of a pair', () => import('./commands/ha/join.ts')],
  ['ha sync', 'whether changes wait for the passive server', () => import('./commands/ha/sync.ts')],
  ['ha status', 'the pair from both sides, and what to do next', () => import('./commands/ha/status.ts')],
  ['ha promote', 'make the passive server the active one', () => import('./commands/ha/promote.ts')],
  ['ha rejoin', 'make the former active server the passive one', () => import('./commands/ha/rejoin.ts')],
  ['ha end', 'end the pair: this server is alone again', () => import('./commands/ha/end.ts')],
  ['restore', 'put a backup set back', () => import('./commands/restore.ts')],
  ['serve', 'serve clients over HTTPS, in the foreground', () => import('./commands/serve.ts')],
  ['client', 'the client: a machine that keeps keys on a server'],
  ['client register', 'make this machine known to a server', () => import('./commands/client/register.ts')],
  ['client put', 'store a file, encrypted', () => import('./commands/client/put.ts')],
  ['client get', 'fetch a deposit and decrypt it', () => import('./commands/client/get.ts')],
  ['client list', 'list the deposits', () => import('./commands/client/list.ts')],
  ['client delete', 'delete a deposit', () => import('./commands/client/delete.ts')],
  ['client recover', 'bring a deleted deposit back', () => import('./commands/client/recover.ts')],
  ['client status', 'what the server says of this client', () => import('./commands/client/status.ts')],
  ['cert', 'the TLS certificate'],
  [
    'cert show',
    'what is configured, and what clients are presented',
    () => import('./commands/cert/show.ts'),
  ],
  ['cert check', 'every reason why a certificate would fail', () => import('./commands/cert/check.ts')],
  ['cert request', 'a signing request for an authority', () => import('./commands/cert/request.ts')],
  ['cert self-sign', 'a self-signed certificate', () => import('./commands/cert/self-sign.ts')],
  ['cert rotate', 'put a certificate to use', () => import('./commands/cert/rotate.ts')],
  ['cert rollback', 'go back to the one before', () => import('./commands/cert/rollback.ts')],
  ['mail', 'the mails to administrators'],
  ['mail test', 'send a mail at once, to see whether mail works', () => import('./commands/mail/test.ts')],
  ['mail queue', 'list the mails that have not been sent', () => import('./commands/mail/queue.ts')],
  ['mail retry', 'try the mails again that were given up', () => import('./commands/mail/retry.ts')],
  ['config', 'keytrustee.conf'],
  ['config show', 'what it says', () => import('./commands/config/show.ts')],
  ['config check', 'every fault of it', () => import('./commands/config/check.ts')],
  ['audit', 'who did what, and when'],
  ['audit show', 'what is recorded', () => import('./commands/audit/show.ts')],
  ['audit verify', 'whether it is as the server wrote it', () => import('./commands/audit/verify.ts')],
];

/** The names that the program goes by, and the words that each stands for. */
export const PROGRAMS: Record<string, string[]> = {
  ktadmin: [],
  'keytrustee-orgtool': ['orgtool'],
  ktbackup: ['backup'],
  'keytrustee-server': ['serve'],
  keytrustee: ['client'],
};

/** The manual pages of the topics that have their own. */
const MANUALS: Record<string, string> = {
  orgtool: 'keytrustee-orgtool',
  backup: 'ktbackup',
  client: 'keytrustee',
  serve: 'keytrusteed',
  cert: 'ktadmin-cert',
  ha: 'ktadmin-ha',
  config: 'keytrustee.conf',
};

const FIRST_STEPS = [
  'ktadmin init --external-address kts01.example.com',
  'ktadmin db start',
  'ktadmin orgtool add -n disaster-recov -c finn@example.com',
  "ktadmin backup --gpg-recipient='John Doe' --output /mnt/safe",
];

/** The command tree. */
export function commandTree(): CommandNode {
  const root: CommandNode = {
    name: 'ktadmin',
    summary: 'administer a Key Trustee Server',
    children: [],
    examples: FIRST_STEPS,
  };
  for (const [words, summary, load] of COMMANDS) {
    const path = words.split(' ');
    const name = path.pop() ?? '';
    let place: CommandNode | undefined = root;
    for (const word of path) place = place?.children.find((child) => child.name === word);
    const manual = MANUALS[words.split(' ')[0] ?? ''] ?? 'ktadmin';
    place?.children.push({ name, summary, children: [], manual, ...(load === undefined ? {} : { load }) });
  }
  return root;
}

/** The part of the tree that a name stands for; undefined where this version has no such command. */
export function programNode(name: string): CommandNode | undefined {
  let node: CommandNode | undefined = commandTree();
  for (const word of PROGRAMS[name] ?? []) node = node?.children.find((child) => child.name === word);
  return node === undefined ? undefined : { ...node, name };
}
