import { explain } from '../core/errors.ts';
import { Interrupted } from '../core/interrupt.ts';

/** How well something is, in the words and the order of monitoring plugins: each one's place is its exit status. */
export const STATES = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const;
export type State = (typeof STATES)[number];

/** What one look found, and what to do next where it is not well. */
export interface Finding {
  state: State;
  message: string;
  hint: string | null;
}

/** One look, by its name. What it rejects with is told as unknown. */
export interface Check {
  name: string;
  look(): Promise<Finding>;
}

/** All that was found. */
export interface Diagnosis {
  state: State;
  checks: ({ name: string } & Finding)[];
}

/** No look takes longer; milliseconds. */
export const LOOK_LIMIT = 5000;

/** The worst first: what is known to be bad counts for more than what nobody knows. */
const WORST: State[] = ['CRITICAL', 'WARNING', 'UNKNOWN', 'OK'];

/** Finds that something is as it should be. */
export const fine = (message: string): Finding => ({ state: 'OK', message, hint: null });

/** Finds that something will fail, unless somebody does what the hint says. */
export const warning = (message: string, hint: string): Finding => ({ state: 'WARNING', message, hint });

/** Finds that something fails. */
export const critical = (message: string, hint: string | null): Finding => ({
  ...{ state: 'CRITICAL', message, hint },
});

const unknown = (message: string, hint: string | null = null): Finding => ({
  ...{ state: 'UNKNOWN', message, hint },
});

async function bounded({ look }: Check, limit: number): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => resolve(unknown(`no answer within ${limit / 1000} seconds`)), limit);
  });
  try {
    return await Promise.race([look(), late]);
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    const { message, hint } = explain(error);
    return unknown(message, hint);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks at everything at once, none longer than a limit. */
export async function examine(checks: Check[], limit = LOOK_LIMIT): Promise<Diagnosis> {
  const found = await Promise.all(
    checks.map(async (check) => ({ name: check.name, ...(await bounded(check, limit)) })),
  );
  const state = WORST.find((each) => found.some((finding) => finding.state === each)) ?? 'UNKNOWN';
  return { state, checks: found };
}
