/** A mail that is ready to leave. */
export interface Outgoing {
  from: string;
  to: string;
  message: Buffer;
}

/** Who took a mail over, and what it answered. That it was delivered is not known then (hazard ML-1). */
export interface Accepted {
  by: string;
  answer: string;
}

const LONGEST = 500;

/** What another program or server said, on one line, without characters that a terminal would obey, and not long. */
export function saidLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, LONGEST);
}
