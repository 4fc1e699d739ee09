/** Tests of a crash at each of many steps take minutes: `npm run test:long` runs all of them, the default suite a part. */
export const isLong = process.env.KT_LONG_TESTS === '1';

/** All steps in the long suite; else every fifth, and the last. */
export function someOf<Step>(steps: readonly Step[]): Step[] {
  return isLong ? [...steps] : steps.filter((_, index) => index % 5 === 0 || index === steps.length - 1);
}
