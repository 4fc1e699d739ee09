// Connections that are new each time, by clients that trust exactly the authorities whose turn it is.
import { request } from 'node:https';

/** One request over a new connection: verified against `ca` and the host's name, or an error. */
function ask({ port, host, path, expected }, ca) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, servername: host, ca, agent: false };
    const call = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece) => (text += piece));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200 && text === expected) resolve();
        else reject(new Error(`${response.statusCode} ${text.slice(0, 200)}`));
      });
    });
    call.on('error', reject);
    call.end();
  });
}

/**
 * Opens connections all the time. While nobody rotates, each trusts one authority alone. While a rotation is under way, either
 * certificate is right, so each trusts both; `rotating` waits for those that trust one alone before the rotation begins.
 */
export function openNewcomers(loops, first, settings, control, total) {
  let trusted = [first];
  const alone = new Set();
  const once = async () => {
    const ca = trusted;
    const asked = ask(settings, ca).then(
      () => {
        total.newConnections += 1;
        if (ca.length === 1) total.newAlone += 1;
      },
      (error) => total.failures.push(`a new connection that trusts ${ca.length}: ${error.message}`),
    );
    if (ca.length === 1) alone.add(asked);
    await asked;
    alone.delete(asked);
  };
  const loop = async () => {
    while (!control.isOver) await once();
  };
  return {
    ended: Promise.all(Array.from({ length: loops }, loop)),
    /** Does a rotation from one authority to another; afterwards only the other is trusted, as so many connections show at once. */
    async rotating(to, afterwards, rotate) {
      const [from] = trusted;
      trusted = [from, to];
      await Promise.all(alone);
      if (!(await rotate())) return;
      trusted = [to];
      await Promise.all(Array.from({ length: afterwards }, once));
      const isFooled = await ask(settings, [from]).then(
        () => true,
        () => false,
      );
      if (isFooled) total.failures.push('whoever trusts the other authority alone was served');
    },
  };
}
