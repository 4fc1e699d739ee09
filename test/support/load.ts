/** Requests that go on while something happens to a server, over open and over new connections. */
import { Agent } from 'node:https';
import { onTestFinished } from 'vitest';
import { ask } from './serving.ts';

/** Load that runs. */
export interface Load {
  answered(): number;
  statuses(): Set<number>;
  /** Ends it, and says of each request that failed why. */
  end(): Promise<string[]>;
}

/** Sends requests one after the other on 4 connections that stay open and 2 that are new each time. */
export function loadServer(port: number, path: string, body?: string): Load {
  const failed: string[] = [];
  const statuses = new Set<number>();
  let answered = 0;
  let ending = false;
  const agents = Array.from({ length: 4 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const once = async (agent: Agent | false) => {
    try {
      const answer = await ask(port, path, { agent });
      answered++;
      statuses.add(answer.status);
      if (answer.status !== 200 || (body !== undefined && answer.body !== body))
        failed.push(`status ${answer.status}`);
    } catch (error) {
      failed.push(error instanceof Error ? error.message : String(error));
    }
  };
  const loop = async (agent: Agent | false) => {
    while (!ending) await once(agent);
  };
  const loops = Promise.all([...agents, false as const, false as const].map(loop));
  const end = async () => {
    ending = true;
    await loops;
    for (const agent of agents) agent.destroy();
    return failed;
  };
  onTestFinished(() => end().then(() => undefined));
  return { answered: () => answered, statuses: () => statuses, end };
}
