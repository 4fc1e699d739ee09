// Connections that stay open and always wait for something: pipelines of requests, one after the other, until the end.
import { performance } from 'node:perf_hooks';
import { connect } from 'node:tls';

/** The answer at the beginning of what came, once it is whole: where it ends, what is wrong with it. */
function firstAnswer(data, expected) {
  const head = data.indexOf('\r\n\r\n');
  if (head < 0) return undefined;
  const text = data.toString('latin1', 0, head);
  const length = /^content-length: (\d+)/im.exec(text)?.[1];
  const end = head + 4 + Number(length ?? 0);
  if (data.length < end) return undefined;
  const status = text.slice('HTTP/1.1 '.length, 12);
  const body = data.toString('utf8', head + 4, end);
  const isAsked = status === '200' && length !== undefined && (expected === undefined || body === expected);
  const isClosing = /^connection: close/im.test(text);
  return { end, fault: isAsked && !isClosing ? undefined : `${text.slice(0, 200)} ${body.slice(0, 200)}` };
}

function open({ port, host, trusted, requests, control, total }) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', servername: host, ca: trusted });
    const all = requests.map(({ text }) => text).join('');
    let rest = Buffer.alloc(0);
    let place = 0;
    let since = 0;
    const send = () => {
      place = 0;
      since = performance.now();
      socket.write(all);
    };
    socket.setNoDelay(true).once('secureConnect', send);
    const answered = () => {
      place += 1;
      total.requests += 1;
      total.slowest = Math.max(total.slowest, performance.now() - since);
    };
    const again = () => (control.isOver ? socket.end() : send());
    socket.on('data', (data) => {
      rest = Buffer.concat([rest, data]);
      let answer = firstAnswer(rest, requests[place]?.expected);
      while (answer !== undefined) {
        if (answer.fault !== undefined) total.failures.push(answer.fault);
        rest = rest.subarray(answer.end);
        answered();
        if (place === requests.length) again();
        answer = firstAnswer(rest, requests[place]?.expected);
      }
    });
    socket.on('error', (error) => total.failures.push(`an open connection: ${error.message}`));
    socket.on('close', () => {
      if (!control.isOver || place < requests.length) total.failures.push('an open connection was closed');
      resolve();
    });
  });
}

/** Opens so many, trusting what is presented now; settles when they were told that it is over, and have their last answers. */
export function keepBusy(connections, settings) {
  return Promise.all(Array.from({ length: connections }, () => open(settings)));
}
