import { confdirFiles } from '../core/config.ts';
import { auditDirectory, type Settings } from '../core/configuration.ts';
import type { OpenTrail, Trail } from '../core/trail.ts';
import { bareFingerprint } from '../gpg/server-key.ts';
import { clearSign } from '../gpg/signature.ts';
import { openTrail } from './open.ts';
import type { TrailOptions } from './stream.ts';

const MEGABYTE = 1024 * 1024;

/** How long a stream that another process has is waited for, in milliseconds: it may be ending, or be another command. */
const WAIT = 20_000;

function optionsOf({ confdir, account, configuration }: Settings): TrailOptions {
  const key = bareFingerprint(configuration.LOCAL_FINGERPRINT);
  return {
    fileBytes: configuration.AUDIT_FILE_MEGABYTES * MEGABYTE,
    sign: (text) => clearSign(confdirFiles(confdir), key, text),
    who: `account:${account.name}`,
    wait: WAIT,
  };
}

/** Opens the stream of one of the server's processes, counted from 1. */
export async function openServerTrail(settings: Settings, worker = 1): Promise<OpenTrail> {
  const directory = auditDirectory(settings.confdir, settings.configuration);
  return openTrail(directory, `server-${worker}`, optionsOf(settings));
}

/** The stream that all commands share. It is opened for each event, so that none of them waits for another's whole work. */
export function commandTrail(settings: Settings): Trail {
  const directory = auditDirectory(settings.confdir, settings.configuration);
  const change: Trail['change'] = async (event) => {
    const trail = await openTrail(directory, 'command', optionsOf(settings));
    try {
      await trail.change(event);
    } finally {
      await trail.close();
    }
  };
  return { change, note: change };
}
