/** Name and version of this program, as a backup set records it. */
export const PROGRAM = `ktadmin ${__VERSION__}`;

/** What `--version` says: of the program, and of what it runs on. */
export function versionInfo() {
  return {
    version: __VERSION__,
    commit: __COMMIT__,
    node: process.versions.node,
    openssl: process.versions.openssl,
  };
}
