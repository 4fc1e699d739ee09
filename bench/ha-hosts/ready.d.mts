/** What the procedure needs of a host; ready.mjs says what each part is. */
interface HostToSetUp {
  name: string;
  place: string;
  ktadmin(args: string[]): Promise<{ status: number | null; stderr: string }>;
}

export function copyConfiguration(
  active: Pick<HostToSetUp, 'place'>,
  passive: Pick<HostToSetUp, 'place'>,
): Promise<void>;

export function makeReady<Host extends HostToSetUp>(
  hosts: [Host, Host],
  how: { configure?: (host: Host) => Promise<void>; serve: (host: Host) => Promise<void> },
): Promise<void>;
