/** Organizations, clients and deposits put straight into a test server's tables, and what is in them. */
import { join } from 'node:path';
import { realBindir } from './faults.ts';
import { asAccount, type TestServer } from './sandbox.ts';

/** A uuid that begins with some letters. */
export const uuid = (name: string) => name.padEnd(43, '0');

/** A fingerprint of one hex digit. */
export const fingerprint = (digit: string) => digit.repeat(40);

const literal = (text: string | null) => (text === null ? 'null' : `'${text.replaceAll("'", "''")}'`);

/** SQL of a client; without a state it is active. */
export function aClient(organization: string, digit: string, state = 'active'): string {
  const times =
    state === 'pending' ? 'null, null' : `now() - interval '1 day', ${state === 'active' ? 'null' : 'now()'}`;
  return `insert into client (organization_id, fingerprint, name, public_key, state, activated_at, disabled_at)
    select id, '${fingerprint(digit)}', 'host-${digit}', 'key ${digit}', '${state}', ${times}
    from organization where name = '${organization}';`;
}

/** SQL of a deposit, whose content is a text. */
export function aDeposit(
  digit: string,
  name: string,
  handle: string | null,
  content = `content of ${name}`,
): string {
  return `insert into deposit (uuid, client_id, handle, content, sha256, expires_at, retrievals_left)
    select '${uuid(name)}', id, ${literal(handle)}, convert_to(${literal(content)}, 'UTF8'),
      sha256(convert_to(${literal(content)}, 'UTF8')), '2099-01-01 00:00:00.123456Z', 7
    from client where fingerprint = '${fingerprint(digit)}';`;
}

/** SQL that removes an organization with all that is its. */
export const withoutOrganization = (name: string) =>
  `delete from deposit using client, organization where client_id = client.id and organization_id = organization.id
     and organization.name = '${name}';
   delete from client using organization where organization_id = organization.id and organization.name = '${name}';
   delete from organization where name = '${name}';`;

/** Everything in the tables but their own numbers, by natural keys: what a client or a person could ever see. */
export async function contentOf(server: TestServer): Promise<Record<string, string[]>> {
  const query = async (columns: string, from: string) => {
    const listed = await server.query(`select ${columns} as line from ${from} order by 1`);
    return listed === '' ? [] : listed.split('\n');
  };
  const of = (alias: string, ...without: string[]) =>
    `(to_jsonb(${alias}) - '{${['id', ...without].join(',')}}'::text[])::text`;
  return {
    organizations: await query(of('o'), 'organization o'),
    contacts: await query(
      `o.uuid || ${of('c', 'organization_id')}`,
      'contact c join organization o on o.id = organization_id',
    ),
    clients: await query(
      `o.uuid || ${of('c', 'organization_id')}`,
      'client c join organization o on o.id = organization_id',
    ),
    deposits: await query(
      `fingerprint || ${of('d', 'client_id')}`,
      'deposit d join client c on c.id = client_id',
    ),
    invitations: await query("encode(token_hash, 'hex')", 'contact_invitation'),
  };
}

/** The lines of a whole dump, numbers and all, in the order in which they lie; the next free numbers are left out. */
export async function dumpLines(server: TestServer): Promise<string[]> {
  const dump = await asAccount(join(await realBindir(), 'pg_dump'), [
    ...['-h', join(server.pgRootdir, 'run'), '-p', String(server.port), '-U', 'keytrustee', 'keytrustee'],
  ]);
  if (dump.status !== 0) throw new Error(dump.stderr);
  return dump.stdout.split('\n').filter((line) => !/^\\(?:un)?restrict |pg_catalog\.setval/.test(line));
}

/** Names of the databases there are, beside those that every cluster has. */
export const databases = (server: TestServer) =>
  server.query("select string_agg(datname, ' ' order by datname) from pg_database where not datistemplate");
