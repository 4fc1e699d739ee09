/** What all tests share: made once by global-setup.ts, and taken away afterwards. */
export interface World {
  /** Everything lies below it, with short paths (unix sockets have at most 107 bytes). */
  directory: string;
  /** The program under all its names. */
  bin: string;
  /** The service account: one made for this run where it runs as root, else oneself. Its home is `directory/home`. */
  account: { name: string; uid: number; gid: number };
  /** A database port for the template; tests take their own. */
  port: number;
  /** The directory of PostgreSQL's programs. */
  postgres: string;
  /** GnuPG home of the key administrator John Doe, whose public key the service account's keyring has. */
  administrator: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    world: World;
  }
}
