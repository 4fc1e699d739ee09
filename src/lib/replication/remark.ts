import type { Facts, Seen } from './facts.ts';
import type { Parts } from './parts.ts';

/** How bad something is. */
export type Severity = 'fine' | 'warning' | 'critical';

/** One thing to say of a pair; `code` is for programs and never changes. */
export interface Remark {
  severity: Severity;
  code: string;
  message: string;
  /** What to do about it; null: nothing. */
  next: string | null;
}

/** Looks for one thing. */
export type Rule = (facts: Facts, parts: Parts) => Remark | undefined;

/** The severity and code of a remark, its words, and what to do. */
export function remark(is: [Severity, string], message: string, next: string | null): Remark {
  return { severity: is[0], code: is[1], message, next };
}

/** A command, with where it is run. */
export const at = ({ here, host }: Pick<Seen, 'here' | 'host'>, command: string) =>
  here ? command : `on ${host}: ${command}`;

/** A time as everything of a pair is told: UTC, whole seconds. */
export const time = (date: Date) => `${date.toISOString().slice(0, 19)}Z`;
