import * as z from 'zod/mini';
import { failure } from '../../core/errors.ts';

const absolute = z.string().check(z.regex(/^\/[^\0]*$/));

const member = z.strictObject({
  path: z.string(),
  type: z.enum(['File', 'Directory']),
  size: z.number(),
  sha256: z.nullable(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
  mode: z.string().check(z.regex(/^0[0-7]{3}$/)),
  owner: z.string(),
  group: z.string(),
});

const clientManifestSchema = z.object({
  format: z.literal(1),
  kind: z.literal('client'),
  program: z.string(),
  created: z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/)),
  sequence: z.number().check(z.int(), z.minimum(1)),
  host: z.string(),
  fingerprint: z.string().check(z.regex(/^[0-9]+R\/[0-9A-F]{40}$/)),
  /** The member with the public key of that fingerprint. */
  key: z.string(),
  directories: z.array(absolute).check(z.minLength(1), z.maxLength(100)),
  recipients: z.array(z.strictObject({ fingerprint: z.string(), userId: z.string() })),
  excluded: z.array(z.string()),
  members: z.array(member),
});

/**
 * What a client's set says of itself: a server's manifest without a server, and with groups, because these directories
 * belong to others. Owners and groups by name; `#` and a number where they had none.
 */
export type ClientManifest = z.infer<typeof clientManifestSchema>;
export type ClientMember = z.infer<typeof member>;

/** Reads a manifest whose signature has been found good. */
export function parseClientManifest(text: string): ClientManifest {
  try {
    const parsed = clientManifestSchema.safeParse(JSON.parse(text));
    if (parsed.success && !Number.isNaN(Date.parse(parsed.data.created))) return parsed.data;
  } catch {
    // Not JSON: as bad as JSON of another shape.
  }
  throw failure(
    'untrusted',
    "the set's manifest is not one that this version reads",
    'was it made by a newer version?',
  );
}
