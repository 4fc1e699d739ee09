/** The name under which the original product logs the making of a server. */
export const LOGGER = 'keytrustee.server.util';
