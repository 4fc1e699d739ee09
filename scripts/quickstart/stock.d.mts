/** The SHA-256 of each file below a directory but for locks, by its path from there. */
export function digestsBelow(directory: string): Map<string, string>;
