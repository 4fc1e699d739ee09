import type { Account } from '../core/account.ts';
import { confdirFiles } from '../core/config.ts';
import {
  auditDirectory,
  type Configuration,
  readConfiguration,
  type Settings,
} from '../core/configuration.ts';
import { failure } from '../core/errors.ts';
import { lstatOrNothing } from '../core/files.ts';
import type { OpenTrail, Trail } from '../core/trail.ts';
import { bareFingerprint } from '../gpg/server-key.ts';
import { clearSign } from '../gpg/signature.ts';
import { trailFiles } from './format.ts';
import { COMMAND } from './mentions.ts';
import { openTrail } from './open.ts';
import type { TrailOptions } from './stream.ts';

const MEGABYTE = 1024 * 1024;

/** How long a stream that another process has is waited for, in milliseconds: it may be ending, or be another command. */
const WAIT = 20_000;

/** How long the server waits for the stream of the commands, in milliseconds: without it, it goes on all the same. */
const MENTION_WAIT = 2000;

/** The size of a file where no configuration says it. */
const FILE_MEGABYTES = 64;

/** A server; its configuration is not there yet, or lost, before a restore. */
type Server = Pick<Settings, 'confdir' | 'account'> & { configuration: Configuration | undefined };

function optionsOf({ confdir, account, configuration }: Server): TrailOptions {
  return {
    fileBytes: (configuration?.AUDIT_FILE_MEGABYTES ?? FILE_MEGABYTES) * MEGABYTE,
    async sign(text) {
      if (configuration === undefined) throw failure('state', 'the server has no key yet');
      return clearSign(confdirFiles(confdir), bareFingerprint(configuration.LOCAL_FINGERPRINT), text);
    },
    who: `account:${account.name}`,
    wait: WAIT,
  };
}

/** Whether there is a stream: a head record is the first that it gets. */
async function hasStream(directory: string, stream: string): Promise<boolean> {
  return (await lstatOrNothing(trailFiles(directory, stream).head).catch(() => undefined)) !== undefined;
}

/** Has the stream of the commands say how far the server's are, so that none of them can vanish unnoticed. */
async function mentionServer(directory: string, options: TrailOptions): Promise<void> {
  const trail = await openTrail(directory, COMMAND, { ...options, wait: MENTION_WAIT });
  await trail.close();
}

/**
 * Opens the stream of one of the server's processes, counted from 1. It is mentioned once it has a line, and at its end; where
 * it is gone by then it is not: nobody makes a directory anew that somebody has removed.
 */
export async function openServerTrail(settings: Settings, worker: number): Promise<OpenTrail> {
  const directory = auditDirectory(settings.confdir, settings.configuration);
  const options = optionsOf(settings);
  const name = `server-${worker}`;
  // A trail always has a stream of the commands; that of a host from before begins with its first server.
  if (!(await hasStream(directory, COMMAND))) await mentionServer(directory, options).catch(() => undefined);
  const trail = await openTrail(directory, name, options);
  const mention = async () => {
    if (await hasStream(directory, name)) await mentionServer(directory, options);
  };
  let mentioned: Promise<void> | undefined;
  return {
    ...trail,
    change: async (event) => {
      await trail.change(event);
      mentioned ??= mention().catch(() => undefined);
    },
    close: async () => {
      await trail.close();
      await mentioned;
      await mention().catch(() => undefined);
    },
  };
}

/** The stream that all commands share. It is opened for each event, so that none of them waits for another's whole work. */
export function commandTrail(server: Server): Trail {
  const directory = auditDirectory(server.confdir, server.configuration ?? {});
  const change: Trail['change'] = async (event) => {
    const trail = await openTrail(directory, COMMAND, optionsOf(server));
    try {
      await trail.change(event);
    } finally {
      await trail.close();
    }
  };
  return { change, note: change };
}

/** The same, of a server that may be about to come back from a backup. */
export async function commandTrailOf(confdir: string, account: Account): Promise<Trail> {
  const configuration = await readConfiguration(confdir).catch(() => undefined);
  return commandTrail({ confdir, account, configuration });
}
