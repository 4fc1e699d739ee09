/** Name and version of this program, as a backup set records it. */
export const PROGRAM = `ktadmin ${__VERSION__}`;
