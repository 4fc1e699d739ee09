/** What `--version` prints: of the program, and of what it runs on. */
export function versionText(json: boolean): string {
  const { node, openssl } = process.versions;
  const info = { version: __VERSION__, commit: __COMMIT__, node, openssl };
  const text = `ktadmin ${info.version} (commit ${info.commit}, node ${node}, openssl ${openssl})`;
  return `${json ? JSON.stringify(info) : text}\n`;
}
