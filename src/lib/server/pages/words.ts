/** A moment as the pages say it: `22 November 2026, 14:05 UTC`. */
export function sayTime(date: Date): string {
  const day = date.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  });
  return `${day}, ${date.toISOString().slice(11, 16)} UTC`;
}

/** A fingerprint in groups of four digits, which people can compare and browsers can break into lines. */
export function sayFingerprint(fingerprint: string): string {
  return fingerprint.replace(/^.*\//, '').replaceAll(/(.{4})(?=.)/g, '$1 ');
}
