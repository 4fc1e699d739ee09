/** Machines that keep keys on a server: the client's command, in directories of their own. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:https';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { selfSignedCertificate } from '../../src/lib/tls/self-signed.ts';
import { kt, type Outcome, type RunOptions, type TestServer } from './sandbox.ts';

/** A machine with a client's directory. */
export interface Machine {
  home: string;
  /** Runs `keytrustee ARGS` there. */
  keytrustee(args: string[], options?: RunOptions): Promise<Outcome>;
  /** The JSON that a command prints; one that fails is an error. */
  json<T>(args: string[]): Promise<T>;
}

/** A machine whose directory does not exist yet; it lies in that of the server, and goes with it. */
export async function newMachine(server: TestServer): Promise<Machine> {
  const home = join(await mkdtemp(join(server.directory, 'machine-')), '.keytrustee');
  const keytrustee = (args: string[], options: RunOptions = {}) =>
    kt('keytrustee', args, { ...options, env: { KEYTRUSTEE_HOME: home, ...options.env } });
  return {
    home,
    keytrustee,
    async json(args) {
      const { status, stdout, stderr } = await keytrustee([...args, '--json']);
      if (status !== 0) throw new Error(`${args.join(' ')}: ${stdout}${stderr}`);
      return JSON.parse(stdout);
    },
  };
}

/** Gives a server a certificate for `localhost`, under which tests reach it, before it is started. */
export async function certifyLocalhost(server: TestServer): Promise<string> {
  const ssl = join(server.confdir, '.ssl');
  const { certificate, privateKey } = await selfSignedCertificate('localhost');
  const path = join(ssl, 'ssl-cert-keytrustee.pem');
  await writeFile(path, certificate);
  await writeFile(join(ssl, 'ssl-cert-keytrustee-pk.pem'), privateKey);
  return path;
}

/** The authorization code of an organization, which is made. */
export async function organizationCode(server: TestServer, name: string): Promise<string> {
  const made = await server.orgtool(['add', '-n', name, '-c', 'root@localhost']);
  if (made.status !== 0) throw new Error(made.stderr);
  const { stdout } = await server.orgtool(['list', '-n', name]);
  return (JSON.parse(stdout) as Record<string, { auth_secret: string }>)[name]?.auth_secret ?? '';
}

/** A machine that is registered already, and trusts the server's certificate. */
export async function registeredMachine(
  server: TestServer,
  { port, organization, code }: { port: number; organization: string; code: string },
  args: string[] = [],
): Promise<Machine> {
  const machine = await newMachine(server);
  const ca = join(server.confdir, '.ssl', 'ssl-cert-keytrustee.pem');
  const words = [
    'register',
    '-s',
    `https://localhost:${port}`,
    '-o',
    organization,
    '--auth-stdin',
    '--ca-file',
    ca,
  ];
  const registered = await machine.keytrustee([...words, ...args], { input: `${code}\n` });
  if (registered.status !== 0) throw new Error(registered.stderr);
  return machine;
}

/** A way to a server on which a test decides which answers arrive. */
export interface Way {
  port: number;
  /** Called when the server has answered a request; true: the answer is lost, and the connection with it. */
  isLost: (method: string, path: string) => boolean;
}

/** Stands between a client and a server, with the server's own certificate; gone when the test has ended. */
export async function wayTo(server: TestServer, port: number): Promise<Way> {
  const ssl = join(server.confdir, '.ssl');
  const cert = await readFile(join(ssl, 'ssl-cert-keytrustee.pem'));
  const key = await readFile(join(ssl, 'ssl-cert-keytrustee-pk.pem'));
  const way: Way = { port: 0, isLost: () => false };
  const between = createServer({ cert, key }, (near, answer) => {
    const { method = '', url = '', headers } = near;
    const onward = {
      host: '127.0.0.1',
      port,
      method,
      path: url,
      headers,
      rejectUnauthorized: false,
      agent: false,
    };
    const far = request(onward, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => {
        if (way.isLost(method, url)) near.socket.destroy();
        else answer.writeHead(response.statusCode ?? 0, response.headers).end(Buffer.concat(pieces));
      });
    });
    far.on('error', () => near.socket.destroy());
    near.pipe(far);
  });
  await new Promise<void>((resolve) => between.listen(0, () => resolve()));
  way.port = (between.address() as { port: number }).port;
  onTestFinished(async () => {
    between.closeAllConnections();
    await new Promise((resolve) => between.close(resolve));
  });
  return way;
}
