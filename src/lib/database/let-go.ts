import type { ClientBase } from 'pg';

/** The part of pg's client that its types do not have. */
interface Inside {
  end(): Promise<void>;
  connection: { stream: { destroy(): void } };
}

/**
 * Leaves a connection that failed, or whose other side may say nothing any more. Nobody waits: pg waits for the other side to hang
 * up, and where TLS was refused after the greeting, that never comes, and the promise of its `end` is never settled.
 */
export function letGo(client: ClientBase): void {
  const inside = client as unknown as Inside;
  void inside.end().catch(() => undefined);
  inside.connection.stream.destroy();
}
