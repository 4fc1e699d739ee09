const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

/** A number of bytes for people: `17 bytes`, `1.5 MiB`. */
export function byteWords(size: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, size)) / 10));
  return `${power === 0 ? size : (size / 1024 ** power).toFixed(1)} ${UNITS[power]}`;
}
