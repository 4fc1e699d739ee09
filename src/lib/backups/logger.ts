/** The name under which log lines of a backup appear. */
export const LOGGER = 'keytrustee.server.backup';
