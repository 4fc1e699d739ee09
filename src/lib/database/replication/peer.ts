import { errorCode, failure, KeyTrusteeError } from '../../core/errors.ts';
import { load } from '../../core/lazy.ts';
import { isUnavailable } from '../availability.ts';
import type { Cluster } from '../cluster.ts';
import type { Database } from '../connection.ts';
import { letGo } from '../let-go.ts';
import type { Peer } from './node.ts';
import { type OwnCertificate, RENEW, readOwnCertificate } from './own-certificate.ts';
import { REPLICATION_DATABASE, REPLICATION_ROLE } from './place.ts';

/** No other server is waited for longer, to connect and for each answer; milliseconds. */
const LIMIT = 5000;

/** What the resolver says of a name: there is none, or nobody can be asked. */
const NAMELESS = new Set(['ENOTFOUND', 'EAI_AGAIN']);

const CERTIFICATE = /certificate|CERT_|SELF_SIGNED|UNABLE_TO|HOSTNAME|altnames/i;

type Ends = Pick<OwnCertificate, 'ends' | 'authorityEnds'>;

/** Which of the certificates has expired: each server's own, or what each has of the authority of both. */
function explainExpired(error: unknown, isTheirWord: boolean, { host, where }: Whom, own: Ends): Error {
  const now = new Date();
  const say = (message: string, next: string) => failure('untrusted', message, next, error);
  if (own.authorityEnds < now)
    return say(`this server cannot trust ${where}: the authority of the pair has expired`, RENEW);
  if (!isTheirWord) return say(`the certificate of ${where} has expired`, `on ${host}: ${RENEW}`);
  const refused = `${where} does not accept the certificate of this server`;
  if (own.ends < now) return say(`${refused}: it has expired`, RENEW);
  return say(`${refused}: the authority of the pair has expired there`, `on ${host}: ${RENEW}`);
}

interface Whom {
  host: string;
  where: string;
}

function explainPeer(error: unknown, { host, port }: Peer, own: Ends): Error {
  const code = errorCode(error);
  const message = error instanceof Error ? error.message : String(error);
  const where = `PostgreSQL of ${host} (port ${port})`;
  const isTheirWord = /alert certificate expired/i.test(message);
  if (isTheirWord || code === 'CERT_HAS_EXPIRED')
    return explainExpired(error, isTheirWord, { host, where }, own);
  if (code === '28000' || CERTIFICATE.test(`${code ?? ''} ${message}`)) {
    return failure(
      'untrusted',
      `${where} and this server do not trust each other's certificates: ${message}`,
      /not yet valid/.test(message)
        ? 'is the clock right here? timedatectl'
        : `is .replication in both configuration directories the same, and ${host} a name of that server? Are both clocks right?`,
      error,
    );
  }
  if (code !== undefined && NAMELESS.has(code))
    return failure(
      'unreachable',
      `the name ${host} is not known here`,
      'is it spelled right? DNS, or /etc/hosts of this server, has to know it',
      error,
    );
  const brief = code === undefined ? message : code;
  return failure(
    'unreachable',
    `${where} does not answer (${brief})`,
    `on ${host}: ktadmin db status; older servers need ktadmin init and ktadmin db restart once`,
    error,
  );
}

/** Lends a connection to the other server's database `postgres`, by TLS with the certificates of the pair. */
export async function withPeer<T>(
  cluster: Cluster,
  peer: Peer,
  work: (database: Database) => Promise<T>,
  limit = LIMIT,
): Promise<T> {
  const { default: pg } = await load('pg');
  const own = await readOwnCertificate(cluster);
  const { authority, certificate, privateKey } = own;
  const client = new pg.Client({
    ...{ host: peer.host, port: peer.port, user: REPLICATION_ROLE, database: REPLICATION_DATABASE },
    ssl: { ca: authority, cert: certificate, key: privateKey, minVersion: 'TLSv1.3' },
    ...{ application_name: 'ktadmin', connectionTimeoutMillis: limit, query_timeout: limit },
    // Who a server is concerns nobody's keys: it must not wait for the passive server, which may be the one that is away.
    options: '-c synchronous_commit=local',
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    letGo(client);
    throw explainPeer(error, peer, own);
  }
  try {
    return await work(client);
  } catch (error) {
    throw isUnavailable(error) && !(error instanceof KeyTrusteeError) ? explainPeer(error, peer, own) : error;
  } finally {
    void client.end().catch(() => undefined);
  }
}
