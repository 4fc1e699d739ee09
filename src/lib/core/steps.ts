import { environment } from './config.ts';

/**
 * Marks a point between two steps of work that must outlive a crash. Tests name one in `KTADMIN_KILL_AT`, and the process
 * ends itself there by SIGKILL: no clean-up runs, as when the machine loses its power. At the one in `KTADMIN_STOP_AT` it
 * stops until it gets a SIGCONT. Otherwise it does nothing.
 */
export function reached(step: string): void {
  if (environment.killAt === step) process.kill(process.pid, 'SIGKILL');
  if (environment.stopAt === step) process.kill(process.pid, 'SIGSTOP');
}
