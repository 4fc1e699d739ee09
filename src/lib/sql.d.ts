/** SQL files are loaded as text when the program is built. */
declare module '*.sql' {
  const text: string;
  export default text;
}

/** Set when the program is built. */
declare const __VERSION__: string;
declare const __COMMIT__: string;
