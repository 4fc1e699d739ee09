/** So many of a thing, in words: `1 client`, `2 clients`. */
export const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;
