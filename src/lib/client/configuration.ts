import * as z from 'zod/mini';
import { DEFAULT_PORT } from '../core/config.ts';
import { failure } from '../core/errors.ts';
import { writeAtomically } from '../core/files.ts';
import { type ClientFiles, notRegistered, readOwn } from './home.ts';

const LIMIT = 1024 * 1024;
const URL_FORM = /^https:\/\/([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?\/?$/;

const url = z.string().check(z.regex(URL_FORM));

/** `client.conf`: one JSON object, written by `register`. */
const configuration = z.strictObject({
  LOCAL_FINGERPRINT: z.string().check(z.regex(/^[0-9A-F]{40}$/)),
  SERVER: url,
  PASSIVE_SERVER: z.optional(url),
  ORGANIZATION: z.string(),
  NAME: z.string(),
  CA_CERTIFICATE: z.optional(z.string()),
  SKIP_SSL_CHECK: z.optional(z.boolean()),
});

/** Whom a client talks to, and whom it trusts. */
export type ClientConfiguration = z.infer<typeof configuration>;

/** Checks a server's address and gives it its port: `https://kts01.example.com:11371`. */
export function checkServer(text: string): string {
  const [, host, port = String(DEFAULT_PORT)] = URL_FORM.exec(text) ?? [];
  if (host !== undefined && Number(port) > 0 && Number(port) < 65_536) return `https://${host}:${port}`;
  throw failure(
    'usage',
    'this is not the address of a server',
    'it looks like https://kts01.example.com:11371',
  );
}

/** Reads the configuration; undefined where the client was never registered. */
export async function findConfiguration(files: ClientFiles): Promise<ClientConfiguration | undefined> {
  const bytes = await readOwn(files.configuration, LIMIT);
  if (bytes === undefined) return undefined;
  try {
    return configuration.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    throw failure(
      'state',
      `${files.configuration} is not what register wrote`,
      'keytrustee register writes it anew; the key stays',
    );
  }
}

/** Reads the configuration of a registered client. */
export async function readClientConfiguration(files: ClientFiles): Promise<ClientConfiguration> {
  const found = await findConfiguration(files);
  if (found === undefined) throw notRegistered(files.home);
  return found;
}

/** Writes the configuration; a crash leaves the old one or the new one. */
export async function writeClientConfiguration(
  files: ClientFiles,
  value: ClientConfiguration,
): Promise<void> {
  await writeAtomically(files.configuration, `${JSON.stringify(value, null, 2)}\n`);
}
