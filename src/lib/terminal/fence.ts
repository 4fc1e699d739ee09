import { readConfiguration } from '../core/configuration.ts';
import type { Fenced } from '../database/replication/fence.ts';
import type { Surroundings } from '../database/start.ts';
import { recordServer } from './audit.ts';
import type { OpenedSource } from './cluster.ts';
import type { Context } from './command.ts';

/**
 * What `db start` knows beside its cluster. That the server is fenced is recorded where the configuration directory is this
 * cluster's; a trail that cannot be written does not let a server go on whose pair has another active one.
 */
export function surroundings({ source, account, self }: OpenedSource, context: Context): Surroundings {
  const { confdir } = context.globals;
  return {
    self,
    async beforeFence({ peer, epoch, timeline }) {
      try {
        if ((await readConfiguration(confdir)).PG_ROOTDIR !== source.root) return;
        await recordServer({ confdir, account }, 'ha.fenced', { active: peer.host, epoch, timeline });
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        context.terminal.warn(`that this server is fenced is not in the audit trail: ${why}`);
      }
    },
  };
}

/** Says that a server is fenced, and what to do. */
export function warnOfFence(fenced: Fenced | undefined, { terminal }: Context): void {
  if (fenced === undefined) return;
  const active = fenced.peer === null ? 'another server' : `${fenced.peer.host} (port ${fenced.peer.port})`;
  const { aloneSince } = fenced;
  if (aloneSince !== null)
    terminal.warn(
      `since ${aloneSince} changes counted on this server alone: ${active} lacks what was acknowledged then`,
    );
  terminal.warn(
    `the pair goes on without this server: ${active} is active, epoch ${fenced.epoch}; this one serves nothing\nktadmin: hint: ktadmin ha rejoin makes it the passive server`,
  );
}
