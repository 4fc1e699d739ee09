/** Programs whose clock is not the real one, by libfaketime; a database that runs beside them keeps the real one. */
import { spawnSync } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const asked = spawnSync('faketime', ['-f', '+0', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' });

/** Whether clocks can be shifted here. */
export const hasFaketime = asked.status === 0;

const HOUR = 3600;
const DAY = 24 * HOUR;

/** The environment of a program whose clock is so many seconds ahead. How long things take is not touched. */
export function ahead(seconds: number): Record<string, string> {
  return {
    LD_PRELOAD: asked.stdout.trim(),
    FAKETIME: `${seconds < 0 ? '' : '+'}${Math.round(seconds)}s`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

/**
 * The environment of a program that starts so many days, and less than an hour, before a certificate expires; after it
 * where there are less than none. No day (UTC) ends within the next minutes.
 */
export function daysBefore({ validTo }: { validTo: string }, days: number): Record<string, string> {
  const end = Date.parse(validTo) / 1000;
  const moment = end - days * DAY - (days > 0 ? HOUR : -HOUR) / 2;
  const isLate = moment % DAY > DAY - HOUR / 4;
  return ahead(moment - (isLate ? HOUR / 4 : 0) - Date.now() / 1000);
}

/** The environment of a program whose clock can be set while it runs, and what sets it, by seconds. */
export async function clockToSet(directory: string) {
  const file = join(directory, 'clock');
  const set = async (seconds: number) => {
    await writeFile(file, `${seconds < 0 ? '' : '+'}${seconds}s\n`);
    await chmod(file, 0o644);
  };
  await set(0);
  const { FAKETIME: _, ...env } = ahead(0);
  return { set, env: { ...env, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1' } };
}
