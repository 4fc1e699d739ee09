/**
 * The build turns libraries into CommonJS, and Node gives a CommonJS file as the default export of itself; a library
 * whose own default export is used is one layer deeper then.
 */
function unwrap<Module extends { default: object }>(module: Module): Module {
  return 'default' in module.default ? (module.default as Module) : module;
}

/**
 * The libraries that are loaded when they are first used and not before: each costs a command's start 10 ms to 100 ms.
 * They are listed in one place because root loads all of them before it drops privileges where the service account
 * could not read the program's files afterwards (a checkout below /root).
 */
const loaders = {
  chalk: () => import('chalk'),
  eta: () => import('eta'),
  execa: () => import('execa'),
  fastify: () => import('fastify'),
  formbody: () => import('@fastify/formbody').then(unwrap),
  graphileWorker: () => import('graphile-worker'),
  jobTables: () => import('graphile-worker/dist/generated/sql.js'),
  inquirer: () => import('@inquirer/prompts'),
  keyWorker: () => import('ktadmin:key-worker'),
  mimeNode: () => import('nodemailer/lib/mime-node').then(unwrap),
  migrate: () => import('node-pg-migrate'),
  multipart: () => import('@fastify/multipart').then(unwrap),
  nodemailer: () => import('nodemailer'),
  openpgp: () => import('openpgp'),
  ora: () => import('ora').then(unwrap),
  pg: () => import('pg'),
  pino: () => import('pino'),
  promClient: () => import('prom-client').then(unwrap),
  rateLimit: () => import('@fastify/rate-limit').then(unwrap),
  tar: () => import('tar'),
  underPressure: () => import('@fastify/under-pressure').then(unwrap),
  writeFileAtomic: () => import('write-file-atomic'),
  x509: async () => {
    await import('reflect-metadata');
    return import('@peculiar/x509');
  },
  zip: () => import('@zip.js/zip.js'),
};

type Loaders = typeof loaders;

/** The name of a library that is loaded late. */
export type Library = keyof Loaders;

/** Loads one library: `const { execa } = await load('execa')`. */
export function load<Name extends Library>(name: Name): ReturnType<Loaders[Name]> {
  return loaders[name]() as ReturnType<Loaders[Name]>;
}

/** Loads libraries, every one of them unless some are named, so that none has to be read from disk later. */
export async function loadAll(names = Object.keys(loaders) as Library[]): Promise<void> {
  await Promise.all(names.map((name) => loaders[name]()));
}
