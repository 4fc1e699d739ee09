import { constants } from 'node:fs';
import { chmod, type FileHandle, open, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { errorCode, explain, failure, type StatusName } from './errors.ts';

/** The socket in the configuration directory, which only its owner can enter; named as GnuPG names its own there. */
const SOCKET = 'S.keytrusteed';

/** No question and no answer is longer; characters. */
const LONGEST = 65_536;

/** How long a server may take for its answer, which waits for its workers and the audit trail; milliseconds. */
const LIMIT = 60_000;

const SILENT_HINT =
  'systemctl status keytrusteed shows its process: where that was stopped, kill -CONT PID has it go on; systemctl restart keytrusteed starts it anew';

/** What a server that runs says of itself. */
export interface ServerState {
  pid: number;
  /** Where it listens for HTTPS: `https://HOST:PORT`, each as the operating system has it. */
  addresses: string[];
  workers: number;
}

/** What a server can be asked from its own machine. */
export interface ControlVerbs {
  state(): Promise<ServerState>;
  /** Reads settings and certificate again, in every process; rejects where the old ones stay in use. */
  reload(): Promise<void>;
}

type Answer = { value: unknown } | { error: { code: StatusName; message: string; hint?: string } };

/** One line of the other side; undefined where it ended before that or sent too much. */
async function readLine(socket: Socket): Promise<string | undefined> {
  let text = '';
  for await (const piece of socket.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += piece as string;
    if (text.length > LONGEST) return undefined;
    const end = text.indexOf('\n');
    if (end !== -1) return text.slice(0, end);
  }
  return undefined;
}

/** Opens the directory, by whose descriptor the socket has a short name: names of sockets have at most 107 bytes. */
async function openPlace(confdir: string): Promise<{ directory: FileHandle; path: string }> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  const directory = await open(confdir, flags);
  return { directory, path: `/proc/self/fd/${directory.fd}/${SOCKET}` };
}

async function answer(socket: Socket, verbs: ControlVerbs): Promise<void> {
  const verb = await readLine(socket);
  if (verb !== 'state' && verb !== 'reload') return;
  const told = await Promise.resolve()
    .then((): Promise<unknown> => verbs[verb]())
    .then(
      (value): Answer => ({ value }),
      (error: unknown): Answer => {
        const { code, message, hint } = explain(error);
        return { error: { code, message, ...(hint === undefined ? {} : { hint }) } };
      },
    );
  socket.end(`${JSON.stringify(told)}\n`);
}

/**
 * Lets the owner of the configuration ask a server that runs. What a killed server left is replaced, so this is for the one
 * process that has the server's lock. Returns what ends it.
 */
export async function openControl(confdir: string, verbs: ControlVerbs): Promise<() => Promise<void>> {
  const { directory, path } = await openPlace(confdir);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.setTimeout(LIMIT, () => socket.destroy()).on('error', () => socket.destroy());
    answer(socket, verbs).catch(() => socket.destroy());
  });
  try {
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(path, resolve);
    });
    await chmod(path, 0o600);
  } catch (error) {
    server.close();
    await directory.close();
    throw error;
  }
  return async () => {
    server.close();
    await rm(path, { force: true });
    await directory.close();
  };
}

async function reach(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket));
    socket.once('error', (error) => {
      const isNobody = ['ENOENT', 'ECONNREFUSED'].includes(errorCode(error) ?? '');
      if (isNobody) resolve(undefined);
      else reject(error);
    });
  });
}

/**
 * Asks the server that runs with a configuration; undefined where none does. What it refuses is thrown as it said it, and
 * one that does not answer within the limit (milliseconds) is unreachable.
 */
export async function askServer<Verb extends keyof ControlVerbs>(
  confdir: string,
  verb: Verb,
  limit = LIMIT,
): Promise<{ value: Awaited<ReturnType<ControlVerbs[Verb]>> } | undefined> {
  const { directory, path } = await openPlace(confdir);
  try {
    const socket = await reach(path);
    if (socket === undefined) return undefined;
    socket.setTimeout(limit, () =>
      socket.destroy(failure('unreachable', 'the server did not answer in time', SILENT_HINT)),
    );
    socket.write(`${verb}\n`);
    const line = await readLine(socket);
    if (line === undefined) throw failure('unreachable', 'the server ended before it answered');
    const told = JSON.parse(line) as Answer;
    if ('error' in told) throw failure(told.error.code, told.error.message, told.error.hint);
    return { value: told.value as Awaited<ReturnType<ControlVerbs[Verb]>> };
  } finally {
    await directory.close();
  }
}
