import { KeyTrusteeError } from '../core/errors.ts';
import { Interrupted } from '../core/interrupt.ts';
import { wroteNothing } from './answers.ts';
import { type Attempt, exchange, type HttpAnswer, type HttpRequest } from './http.ts';
import type { Outcome } from './types.ts';

/** What a call that writes has sent so far. */
export interface Course {
  /** What it is to do, as its errors say it. */
  deed: 'stored' | 'deleted' | 'recovered' | 'registered';
  /** Requests that may have written something: sent, and not refused by a server that knows that it wrote nothing. */
  doubts: number;
}

const AGAIN: Record<Course['deed'], string> = {
  stored: 'run the same command again, it stores nothing twice',
  deleted: 'run the same command again; where there is no such deposit then, it was',
  recovered: 'run the same command again',
  registered: 'run the same command again',
};

/** What is known of a call that failed. */
export const outcomeOf = ({ doubts }: Course): Outcome => (doubts > 0 ? 'unknown' : 'nothing-written');

/** The words for an outcome that could not be learned, and what to do about it. */
export const unknownHint = ({ deed }: Course): string =>
  `it is not known whether it was ${deed}: ${AGAIN[deed]}`;

/** Sends a request, which is a write where it has a course: what was sent counts as done until an answer says otherwise. */
export async function exchangeWrite(
  attempt: Attempt,
  request: HttpRequest,
  course: Course | undefined,
): Promise<HttpAnswer> {
  if (course === undefined) return exchange(attempt, request);
  const answer = await exchange(attempt, request, () => {
    course.doubts += 1;
  });
  if (wroteNothing(answer)) course.doubts -= 1;
  return answer;
}

/** Does what writes; an error of it says whether something may have been written. */
export async function withOutcome<T>(deed: Course['deed'], work: (course: Course) => Promise<T>): Promise<T> {
  const course: Course = { deed, doubts: 0 };
  try {
    return await work(course);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof Interrupted) throw error;
    const outcome = outcomeOf(course);
    const isHelpless = outcome === 'unknown' && error instanceof KeyTrusteeError && error.hint === undefined;
    throw Object.assign(error, { outcome }, isHelpless ? { hint: unknownHint(course) } : {});
  }
}
