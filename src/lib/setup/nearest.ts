/** Letters only: `db-port`, `DbPort` and `DB_PORT` are one word. */
const plain = (word: string) => word.toUpperCase().replaceAll(/[^A-Z]/g, '');

/** How many letters must be put in, taken out or changed to make one word of another (Levenshtein). */
export function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, change));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** The word that is probably meant, where one differs in no more than a quarter of its letters. */
export function nearest(typed: string, words: string[]): string | undefined {
  const ranked = words
    .map((word) => ({ word, away: distance(plain(typed), plain(word)), most: plain(word).length / 4 }))
    .filter(({ away, most }) => away <= most)
    .toSorted((a, b) => a.away - b.away);
  return ranked[0]?.word;
}
