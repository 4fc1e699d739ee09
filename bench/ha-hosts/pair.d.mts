/** One of the two hosts; pair.mjs and host.mjs say what each part is. */
export interface BareHost {
  name: string;
  link: string;
  address: string;
  gateway: string;
  pid: number;
  words(file: string, args: string[]): [string, ...string[]];
  place: string;
  path(path: string): string;
  outerPid(inner: number): number | undefined;
  processes(): number[];
  fillDisk?(leave?: number): Promise<void>;
  freeDisk?(): Promise<void>;
}

/** Two hosts and the wires between them. */
export interface BarePair {
  hosts: [BareHost, BareHost];
  cutLink(): Promise<void>;
  healLink(): Promise<void>;
  end(): Promise<void>;
}

export function makePair(options: {
  directory: string;
  shared: string;
  account: { uid: number; gid: number };
  disk?: string | undefined;
}): Promise<BarePair>;
