// The load: so many TLS 1.3 connections that each send one request after the other. A process of its own, which reads what
// it shall do on standard input, as JSON, and writes on standard output how many answers came and how long they took.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { connect } from 'node:tls';

const { port, token, ids, seconds, connections, body: size } = JSON.parse(readFileSync(0, 'utf8'));
const body = randomBytes(size ?? 0);
const digest = createHash('sha256').update(body).digest('base64');
const head = (first) => `${first} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n`;
const gets = ids?.map((id) => Buffer.from(`${head(`GET /v1/deposits/${id}`)}\r\n`));
const putHead = `${head('POST /v1/deposits')}Content-Type: application/octet-stream\r\nContent-Length: ${size}\r\nContent-Digest: sha-256=:${digest}:\r\n`;
const run = randomBytes(8).toString('hex');
let puts = 0;

function next() {
  if (gets !== undefined) return gets[Math.floor(Math.random() * gets.length)];
  puts += 1;
  return Buffer.concat([Buffer.from(`${putHead}Idempotency-Key: ${run}-${puts}\r\n\r\n`), body]);
}

const times = [];
let end = 0;

/** The length of an answer, once its head is there. */
function lengthOf(data) {
  const at = data.indexOf('\r\n\r\n');
  if (at < 0) return undefined;
  const text = data.toString('latin1', 0, at);
  if (!/^HTTP\/1.1 20[01]/.test(text)) throw new Error(`refused: ${data.toString('utf8').slice(0, 1000)}`);
  return at + 4 + Number(/^content-length: (\d+)/im.exec(text)?.[1]);
}

function open() {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: 'TLSv1.3' });
    socket.setNoDelay(true);
    let start = 0;
    let got = 0;
    let length;
    const send = () => {
      got = 0;
      length = undefined;
      start = performance.now();
      socket.write(next());
    };
    let first;
    socket.on('data', (data) => {
      if (length === undefined) {
        first = got === 0 ? data : Buffer.concat([first, data]);
        length = lengthOf(first);
      }
      got += data.length;
      if (length === undefined || got < length) return;
      const now = performance.now();
      times.push(now - start);
      if (now < end) send();
      else socket.end();
    });
    socket.on('close', () => (performance.now() < end ? reject(new Error('hung up')) : resolve()));
    socket.on('error', reject);
    socket.on('secureConnect', () => opened(send));
  });
}

const waiting = [];
/** All begin when all are connected. */
function opened(send) {
  waiting.push(send);
  if (waiting.length < connections) return;
  end = performance.now() + seconds * 1000;
  for (const each of waiting) each();
}

await Promise.all(Array.from({ length: connections }, open));
times.sort((a, b) => a - b);
const at = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))];
console.log(
  JSON.stringify({ count: times.length, rate: times.length / seconds, p50: at(0.5), p99: at(0.99) }),
);
