import type { ScheduledRun } from './run.ts';

/** A word of a unit file: in quotes, with what systemd would read into it taken out. */
function quoteWord(word: string): string {
  const plain = word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%');
  return `"${plain}"`;
}

/** `$` has a meaning only in a command, and not in its program. */
const quoteArgument = (word: string) => quoteWord(word).replaceAll('$', '$$$$');

/**
 * Closes to the run whatever a backup does not need. Left out on purpose: MemoryDenyWriteExecute (Node compiles in
 * memory), RemoveIPC (it would take PostgreSQL's memory, which is of the same account), PrivateTmp (a directory of the
 * server may lie in /tmp) and PrivateNetwork (locks are names of the network namespace).
 */
const HARDENING = `\
UMask=0077
LimitCORE=0
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
PrivateDevices=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
IPAddressDeny=any
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM`;

/** The unit that makes one backup. */
export function serviceUnit({ account, words, variables, writes, notes }: ScheduledRun): string {
  const [program = '', ...args] = words;
  const environment = Object.entries(variables).map(
    ([name, value]) => `Environment=${quoteWord(`${name}=${value}`)}\n`,
  );
  return `\
${notes.map((note) => `# ${note}\n`).join('')}
[Unit]
Description=Backup of the Key Trustee Server
Documentation=man:ktbackup(8)

[Service]
Type=oneshot
User=${account}
${environment.join('')}ExecStart=${[quoteWord(program), ...args.map(quoteArgument)].join(' ')}
ReadWritePaths=${['/tmp', ...writes].map((path) => quoteWord(`-${path}`)).join(' ')}
${HARDENING}
`;
}

/** The timer that starts it; a run that was missed while the machine was off is made up for. */
export function timerUnit({ times }: ScheduledRun): string {
  return `\
[Unit]
Description=Times of the backup of the Key Trustee Server
Documentation=man:ktbackup(8)

[Timer]
OnCalendar=${times.calendar}
AccuracySec=1s
Persistent=true

[Install]
WantedBy=timers.target
`;
}
