// What `ktadmin serve` is compared with: node:https and pg, which look one row up by its index, or insert one, and nothing
// else. No session, no digest, no organization, no audit trail, no limit.  bare.mjs CERTIFICATE KEY
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import pg from 'pg';

const [certificate, key] = process.argv.slice(2);
const pool = new pg.Pool({ max: 10, database: 'keytrustee' });

async function get(id, response) {
  const query = { name: 'get', text: 'select content from deposit where uuid = $1', values: [id] };
  const [row] = (await pool.query(query)).rows;
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': row.content.length,
  });
  response.end(row.content);
}

async function put(request, response) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const content = Buffer.concat(pieces);
  const uuid = randomBytes(22).toString('hex').slice(1);
  await pool.query({
    name: 'put',
    text: 'insert into deposit (uuid, client_id, content, sha256) select $1, min(id), $2, $3 from client',
    values: [uuid, content, createHash('sha256').update(content).digest()],
  });
  const answer = JSON.stringify({ id: uuid });
  response.writeHead(201, { 'content-type': 'application/json', 'content-length': answer.length });
  response.end(answer);
}

const options = { cert: readFileSync(certificate), key: readFileSync(key) };
const server = createServer(options, (request, response) => {
  const done = request.method === 'GET' ? get(request.url.slice(13), response) : put(request, response);
  done.catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.on('SIGTERM', () => process.exit());
