import { Agent, request } from 'node:https';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Attack } from './requests.ts';

const agent = new Agent({ keepAlive: true, maxSockets: 64, rejectUnauthorized: false });
/** No answer takes longer, milliseconds; whoever waits for the rest of a request is left earlier. */
const LIMIT = 90_000;
const PATIENCE = 300;

function sendHttp(port: number, attack: Attack & { way: 'http' }): Promise<number | string> {
  return new Promise((resolve) => {
    const { method, path, headers, body } = attack;
    const call = request(
      { host: '127.0.0.1', port, agent, method, path, headers, timeout: LIMIT },
      (answer) => {
        answer.on('error', () => resolve('cut'));
        answer.on('end', () => resolve(answer.statusCode ?? 'cut'));
        answer.resume();
      },
    );
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', (error) => resolve(error.message === 'no answer' ? 'no answer' : 'cut'));
    call.end(body);
  });
}

/** Sends bytes and gives the worst status among what comes back until the connection ends or nothing comes anymore. */
function sendBytes(port: number, { way, bytes }: Attack & { way: 'tls' | 'tcp' }): Promise<number | string> {
  return new Promise((resolve) => {
    const place = { host: '127.0.0.1', port };
    const socket = way === 'tls' ? connectTls({ ...place, rejectUnauthorized: false }) : connect(place);
    let heard = '';
    socket.setTimeout(PATIENCE, () => socket.destroy());
    socket.on('data', (data) => (heard += data.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const statuses = [...heard.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      resolve(statuses.length === 0 ? 'cut' : Math.max(...statuses));
    });
    socket.on(way === 'tls' ? 'secureConnect' : 'connect', () => socket.write(bytes));
  });
}

/** Sends one request: the status of its answer, or `cut` where the connection ended without one, or `no answer`. */
export function sendAttack(port: number, attack: Attack): Promise<number | string> {
  return attack.way === 'http' ? sendHttp(port, attack) : sendBytes(port, attack);
}

/** Connections that send the body of a request a byte at a time, until they are let go. */
export function openSlowBodies(port: number, count: number): { close(): void } {
  const head =
    'POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{';
  const sockets = Array.from({ length: count }, () => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }, () =>
      socket.write(head),
    );
    return socket.on('error', () => undefined);
  });
  const timer = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write(' ');
  }, 200);
  return {
    close() {
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Lets go of the connections that are kept. */
export function closeAgent(): void {
  agent.destroy();
}
