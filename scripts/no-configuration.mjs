// Stands in for `cosmiconfig` in the build: the job queue would look for configuration, code among it, in the directory
// that the server was started in and in all above; it gets all of its settings from this program.
export function cosmiconfigSync() {
  return { search: () => null };
}
