// Stands in for `jiti` in the build: node-pg-migrate makes one when it is loaded, and migrations here are SQL only.
export function createJiti() {
  return {
    import() {
      throw new Error('migrations are SQL files');
    },
  };
}
