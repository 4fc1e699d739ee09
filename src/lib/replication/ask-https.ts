import { request } from 'node:https';

/** No answer that is looked at is longer; characters. */
const LONGEST = 4096;

/** What a server answers; null where it does not, within so many milliseconds. Whose certificate it shows is another question. */
async function ask(host: string, port: number, path: string, limit: number): Promise<string | null> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(limit);
    const asked = request({ host, port, path, agent: false, rejectUnauthorized: false, signal });
    asked
      .on('error', () => resolve(null))
      .on('response', (response) => {
        let body = '';
        response.setEncoding('utf8').on('error', () => resolve(null));
        response.on('data', (piece: string) => {
          body = `${body}${piece}`.slice(0, LONGEST);
        });
        response.on('end', () => resolve(body));
      });
    asked.end();
  });
}

/** The fingerprint that a server answers with; null where it does not answer as one. */
export async function askFingerprint(host: string, port: number, limit: number): Promise<string | null> {
  const body = await ask(host, port, '/?a=fingerprint', limit);
  return body !== null && /^\d+R\/[0-9A-F]{40}$/.test(body) ? body : null;
}

/** Whether a server says that less is free on its disks than its settings ask for. */
export async function askSpace(host: string, port: number, limit: number): Promise<boolean> {
  const body = await ask(host, port, '/v1/health/ready', limit);
  try {
    return (JSON.parse(body ?? '{}') as { space?: unknown }).space === 'low';
  } catch {
    return false;
  }
}
