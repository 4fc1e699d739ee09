/** A file or directory of a tar archive. Paths carry no leading slash; a directory's ends with none either. */
export interface TarMember {
  path: string;
  type: 'File' | 'Directory';
  /** Bytes; 0 for a directory. */
  size: number;
  /** Permission bits. */
  mode: number;
  owner: string;
  group: string;
  uid: number;
  gid: number;
  modified: Date;
}

/** The unit of a tar archive, bytes. */
export const BLOCK = 512;

/** The bytes that fill a member's data up to a whole block. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}
