import type { Readable } from 'node:stream';

/** Ends a child and all that it has started once it has printed more than is taken. */
export function endWhenFull(child: { pid?: number; stdout: unknown; stderr: unknown }, most: number) {
  const counted = { bytes: 0, isFull: false };
  for (const output of [child.stdout, child.stderr] as Readable[])
    output.on('data', ({ length }: Buffer) => {
      counted.bytes += length;
      if (counted.isFull || counted.bytes <= most) return;
      counted.isFull = true;
      endGroup(child.pid);
    });
  return counted;
}

/** Ends a process and all that it has started. */
export function endGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}
