/** What HA_WRITE_POLICY says: after how many seconds without the passive the active goes on alone; null: never. */
export function degradesAfter(policy: string): number | null {
  const seconds = /^degrade-after (\d+)$/.exec(policy)?.[1];
  return seconds === undefined ? null : Number(seconds);
}
