import * as z from 'zod/mini';
import { failure } from '../core/errors.ts';

const member = z.strictObject({
  path: z.string(),
  type: z.enum(['File', 'Directory']),
  size: z.number(),
  sha256: z.nullable(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
  mode: z.string().check(z.regex(/^[0-7]{4}$/)),
  owner: z.string(),
});

const manifestSchema = z.object({
  format: z.literal(1),
  program: z.string(),
  created: z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/)),
  sequence: z.number().check(z.int(), z.minimum(1)),
  host: z.string(),
  fingerprint: z.string().check(z.regex(/^[0-9]+R\/[0-9A-F]{40}$/)),
  confdir: z.string().check(z.regex(/^\//)),
  account: z.string(),
  database: z.object({
    name: z.string(),
    /** The script that loads it, and the files that the script reads. */
    member: z.string(),
    parts: z._default(z.array(z.string()), []),
    postgresql: z.string(),
    systemIdentifier: z.string(),
    rows: z.record(z.string(), z.number()),
  }),
  recipients: z.array(z.strictObject({ fingerprint: z.string(), userId: z.string() })),
  excluded: z.array(z.string()),
  members: z.array(member),
});

/** What a backup set says of itself: its last member, signed by the server's key. Sizes are bytes, `created` is UTC. */
export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestMember = z.infer<typeof member>;

/** The ending of the manifest's name within a set. */
export const MANIFEST_ENDING = '.manifest.asc';

/** A manifest as text. */
export function printManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** Reads a manifest whose signature has been found good. */
export function parseManifest(text: string): Manifest {
  try {
    const parsed = manifestSchema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
  } catch {
    // Not JSON: as bad as JSON of another shape.
  }
  throw failure(
    'untrusted',
    "the set's manifest is not one that this version reads",
    'was it made by a newer version?',
  );
}
