/** How often what has expired is forgotten; milliseconds. */
const SWEEP = 60_000;

/** Remembers which challenges were used, until they have expired anyway. */
export function createSpent(): (challenge: string, expires: number) => boolean {
  const spent = new Map<string, number>();
  let next = 0;
  const sweep = (now: number) => {
    for (const [challenge, expires] of spent) if (expires < now) spent.delete(challenge);
    next = now + SWEEP;
  };
  return (challenge, expires) => {
    const now = Date.now();
    if (now >= next) sweep(now);
    if (spent.has(challenge)) return false;
    spent.set(challenge, expires);
    return true;
  };
}
