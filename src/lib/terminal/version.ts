/** Name and version of this program, as a backup set records it. */
export const PROGRAM = `ktadmin ${__VERSION__}`;

/** What `--version` says: of the program, and of what it runs on. */
export function versionText(json: boolean): string {
  const { node, openssl } = process.versions;
  const info = { version: __VERSION__, commit: __COMMIT__, node, openssl };
  const text = `${PROGRAM} (commit ${info.commit}, node ${node}, openssl ${openssl})`;
  return `${json ? JSON.stringify(info) : text}\n`;
}
