import { createHash } from 'node:crypto';
import { type Dice, mutate } from './dice.ts';

/** What is known of the server, and of the client that it takes for good. */
export interface Target {
  session: string;
  fingerprint: string;
  publicKey: string;
  privateKey: string;
  /** A challenge that is still good, and its signature. */
  proof: { challenge: string; signature: string };
  /** A deposit. */
  id: string;
}

/** A request: as Node's client sends it, as bytes within TLS, or as bytes instead of TLS. */
export type Attack =
  | { kind: string; way: 'http'; method: string; path: string; headers: Record<string, string>; body: Buffer }
  | { kind: string; way: 'tls' | 'tcp'; bytes: Buffer };

type Maker = (target: Target, dice: Dice) => Attack;

const PATHS = [
  '/v1/challenges',
  '/v1/sessions',
  '/v1/clients',
  '/v1/client',
  '/v1/deposits',
  '/v1/handles/x',
  '/v1',
];
const PAGES = [
  '/',
  '/?a=fingerprint',
  '/?q=x',
  '/approval?q=x',
  '/style.css',
  '/v1/health/live',
  '/v1/health/ready',
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const TYPES = [
  'application/json',
  'application/octet-stream',
  'text/plain',
  'application/x-www-form-urlencoded',
  '*/*',
];
const JSON_TYPE = { 'content-type': 'application/json' };

function post(
  kind: string,
  path: string,
  body: Buffer | object,
  headers: Record<string, string> = JSON_TYPE,
): Attack {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  return { kind, way: 'http', method: 'POST', path, headers, body: bytes };
}

function bodies({ fingerprint, publicKey, proof }: Target): [string, object][] {
  return [
    ['/v1/sessions', { fingerprint, ...proof }],
    ['/v1/clients', { organization: 'prod', name: 'fuzz', publicKey, code: 'wrong', ...proof }],
  ];
}

const json: Maker = (target, dice) => {
  const [path, body] = dice.oneOf(bodies(target));
  return post('json', path, mutate(Buffer.from(JSON.stringify(body)), dice));
};

const values: Maker = (target, dice) => {
  const [path, body] = dice.oneOf(bodies(target));
  const deep = JSON.parse('['.repeat(500) + ']'.repeat(500)) as unknown;
  const wrong: unknown[] = [
    null,
    -1,
    1e308,
    true,
    [],
    {},
    deep,
    '',
    '\0',
    'x'.repeat(dice.below(30_000)),
    dice.bytes(20).toString('latin1'),
  ];
  const field = dice.oneOf(Object.keys(body));
  return post('values', path, { ...body, [field]: dice.oneOf(wrong) });
};

const armour = (type: string, bytes: Buffer) =>
  `-----BEGIN PGP ${type}-----\n\n${bytes.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END PGP ${type}-----\n`;
const unarmour = (text: string) => Buffer.from(text.replace(/^-.*|^=.*/gm, ''), 'base64');

/** Packets of any kind and length, some of them within each other. */
function packets(dice: Dice): Buffer {
  const all = Array.from({ length: 1 + dice.below(6) }, () => {
    const body = dice.chance(0.1) ? packets(dice) : dice.bytes(dice.below(120));
    const says = dice.oneOf([body.length, body.length, dice.below(192), 255]);
    const head = dice.chance(0.5) ? [0xc0 | dice.below(64), says] : [0x80 | (dice.below(16) << 2), says];
    return Buffer.concat([Buffer.from(head), body]);
  });
  return Buffer.concat(all);
}

const keys: Maker = ({ publicKey, privateKey, proof }, dice) => {
  const source = unarmour(dice.chance(0.9) ? publicKey : privateKey);
  const bytes = dice.chance(0.2) ? packets(dice) : mutate(source, dice);
  const text = dice.oneOf([
    armour('PUBLIC KEY BLOCK', bytes),
    armour('PUBLIC KEY BLOCK', bytes),
    mutate(Buffer.from(publicKey), dice).toString(),
  ]);
  return post('keys', '/v1/clients', { organization: 'prod', publicKey: text.slice(0, 16_384), ...proof });
};

const signatures: Maker = (target, dice) => {
  const { signature, challenge } = target.proof;
  const bytes = dice.chance(0.2) ? packets(dice) : mutate(unarmour(signature), dice);
  const changed = {
    challenge: dice.chance(0.9) ? challenge : mutate(Buffer.from(challenge), dice).toString(),
    signature: armour('SIGNATURE', bytes),
  };
  const [path, body] = dice.oneOf(bodies(target));
  return post('signatures', path, { ...body, ...changed });
};

const addresses: Maker = ({ session, id }, dice) => {
  const text = mutate(
    Buffer.from(dice.oneOf([...PATHS, ...PAGES, `/v1/deposits/${id}`, '/v1/deposits?limit=1&after=x'])),
    dice,
  );
  const path = text
    .toString('latin1')
    .replace(/[^\x21-\x7e]/g, '%')
    .replace(/^\/?/, '/');
  const headers = dice.chance(0.7) ? { authorization: `Bearer ${session}` } : {};
  return {
    kind: 'addresses',
    way: 'http',
    method: dice.oneOf(METHODS),
    path,
    headers: headers as Record<string, string>,
    body: Buffer.alloc(0),
  };
};

const deposits: Maker = ({ session }, dice) => {
  const body = dice.bytes(dice.below(300));
  const digest = dice.chance(0.7)
    ? createHash('sha256').update(body).digest('base64')
    : dice.bytes(32).toString('base64');
  const headers = {
    authorization: `Bearer ${
      dice.chance(0.9)
        ? session
        : mutate(Buffer.from(session), dice)
            .toString('latin1')
            .replace(/[^\x20-\x7e]/g, '')
    }`,
    'content-type': dice.chance(0.9) ? 'application/octet-stream' : dice.oneOf(TYPES),
    'idempotency-key': dice.bytes(12).toString('hex').slice(dice.below(12)),
    'content-digest': dice.chance(0.9) ? `sha-256=:${digest}:` : digest,
  };
  const query = [
    '',
    `?handle=${encodeURIComponent(dice.bytes(8).toString('latin1'))}`,
    `?ttl=${dice.below(1e9)}`,
    '?retrievals=-1',
    '?x=%zz',
  ];
  return post('deposits', `/v1/deposits${dice.oneOf(query)}`, body, headers);
};

const huge: Maker = (target, dice) => {
  const size = dice.oneOf([64 * 1024, 64 * 1024 + 1, 1_048_576, 1_048_577, 2_000_000]);
  const headers = { authorization: `Bearer ${target.session}`, 'content-type': dice.oneOf(TYPES) };
  return post(
    'huge',
    dice.oneOf([...PATHS, ...PAGES]),
    Buffer.alloc(size, dice.oneOf(['{', '[', '"', ' ', '\0', 'a=b&'])),
    headers,
  );
};

const forms: Maker = (_, dice) => {
  const boundary = dice.oneOf(['x', 'y'.repeat(70), '', '"']);
  const parts = `--x\r\nContent-Disposition: form-data; name="key"; filename="k"\r\n\r\n${dice.bytes(30).toString('latin1')}\r\n--x--\r\n`;
  const type = dice.chance(0.7)
    ? `multipart/form-data; boundary=${boundary}`
    : 'application/x-www-form-urlencoded';
  return post(
    'forms',
    dice.oneOf(['/?q=x', '/approval?q=x', '/']),
    mutate(Buffer.from(parts, 'latin1'), dice),
    { 'content-type': type },
  );
};

const raw: Maker = (target, dice) => {
  const lines = [
    'Host: x',
    `Authorization: Bearer ${target.session}`,
    'Content-Type: application/json',
    `X: ${'x'.repeat(dice.below(40) ** 3)}`,
  ];
  const [path, body] = dice.oneOf(bodies(target));
  const text = JSON.stringify(body);
  const length = dice.oneOf([
    `Content-Length: ${text.length}`,
    'Transfer-Encoding: chunked',
    `Content-Length: ${dice.below(100)}`,
  ]);
  const request = `${dice.oneOf(METHODS)} ${path} HTTP/1.1\r\n${[...lines, length].join('\r\n')}\r\n\r\n${text}`;
  return {
    kind: 'raw',
    way: 'tls',
    bytes: dice.chance(0.1) ? dice.bytes(200) : mutate(Buffer.from(request), dice),
  };
};

/** The first bytes of a handshake, or of none. */
const handshakes: Maker = (_, dice) => {
  const hello = Buffer.concat([Buffer.from('16030100c8010000c40303', 'hex'), Buffer.alloc(200, 7)]);
  return { kind: 'handshakes', way: 'tcp', bytes: dice.chance(0.5) ? mutate(hello, dice) : dice.bytes(100) };
};

const MAKERS: [weight: number, Maker][] = [
  [16, json],
  [10, values],
  [14, keys],
  [14, signatures],
  [14, addresses],
  [12, deposits],
  [1, huge],
  [6, forms],
  [10, raw],
  [3, handshakes],
];
const BAG = MAKERS.flatMap(([weight, maker]) => Array<Maker>(weight).fill(maker));

/** Thinks of a request. */
export function makeAttack(target: Target, dice: Dice): Attack {
  return dice.oneOf(BAG)(target, dice);
}
