// An active client, put straight into the database, and a session of it, opened as every client opens one.
import { request } from 'node:https';
import { createMessage, generateKey, sign } from 'openpgp';

/** Asks a server on this machine with JSON. */
function ask(port, path, body = {}) {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const options = { host: '127.0.0.1', port, path, method: 'POST', rejectUnauthorized: false, headers };
    const call = request(options, (response) => {
      let text = '';
      response.on('data', (data) => (text += data));
      response.on('end', () =>
        response.statusCode === 201 ? resolve(JSON.parse(text)) : reject(new Error(`${path}: ${text}`)),
      );
    });
    call.on('error', reject);
    call.end(JSON.stringify(body));
  });
}

/** Makes the key of a client; `sql` adds the client. */
export async function makeClient() {
  const userIDs = [{ name: 'bench' }];
  const { privateKey } = await generateKey({
    type: 'ecc',
    curve: 'curve25519Legacy',
    userIDs,
    format: 'object',
  });
  const fingerprint = privateKey.getFingerprint().toUpperCase();
  const sql = `insert into organization (uuid, name, auth_secret) values ('${'0'.repeat(43)}', 'bench', '');
    insert into client (organization_id, fingerprint, name, public_key, state, activated_at)
    select id, '${fingerprint}', 'bench', '${privateKey.toPublic().armor()}', 'active', now() from organization;`;
  return { privateKey, fingerprint, sql };
}

/** Opens a session and gives its token. */
export async function openSession(port, { privateKey, fingerprint }) {
  const { challenge } = await ask(port, '/v1/challenges');
  const message = await createMessage({ binary: Buffer.from(challenge) });
  const signature = await sign({ message, signingKeys: privateKey, detached: true });
  const { session } = await ask(port, '/v1/sessions', { fingerprint, challenge, signature });
  return session;
}
