/** SQL files are loaded as text when the program is built. */
declare module '*.sql' {
  const text: string;
  export default text;
}

/** The program of the thread that looks at keys, src/lib/gpg/key-worker.ts, as one text; made when the program is built. */
declare module 'ktadmin:key-worker' {
  export const source: string;
}

/** Templates of pages are loaded as text when the program is built. */
declare module '*.eta' {
  const text: string;
  export default text;
}

/** Set when the program is built. */
declare const __VERSION__: string;
declare const __COMMIT__: string;
