// What there is of a server, and whether it is the same as before: the proof that the quickstart ends with.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** GnuPG's locks: there while one of its processes is at work for the server, and in no backup. */
const LOCK = /^\.#lk|\.lock$/;

/** The organizations as the program lists them, secrets included, and every file of the configuration directory. */
export async function takeStock(place) {
  const organizations = await place.run(['keytrustee-orgtool', 'list']);
  const { LOCAL_FINGERPRINT } = JSON.parse(readFileSync(join(place.confdir, 'keytrustee.conf'), 'utf8'));
  return { organizations, digests: digestsBelow(place.confdir), fingerprint: LOCAL_FINGERPRINT };
}

/** The SHA-256 of each file below a directory but for locks, by its path from there. */
export function digestsBelow(directory) {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !LOCK.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.sort().map((file) => [file.slice(directory.length + 1), digest(file)]));
}

function digest(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** Lines that say what is the same. Throws when anything differs from what was there before. */
export function checkSame({ fingerprint, before }, after) {
  const count = countOrganizations(before.organizations);
  const differences = [];
  if (count !== 2) differences.push(`there were ${count} organizations before the backup, not 2`);
  if (!before.organizations.equals(after.organizations)) differences.push('organizations or secrets differ');
  if (before.fingerprint !== fingerprint || after.fingerprint !== fingerprint)
    differences.push(
      `the fingerprint was ${fingerprint}, then ${before.fingerprint}, and is ${after.fingerprint}`,
    );
  for (const [file, value] of before.digests) {
    if (!after.digests.has(file)) differences.push(`${file} is missing`);
    else if (after.digests.get(file) !== value) differences.push(`${file} differs`);
  }
  if (differences.length > 0) throw new Error(`not the same after the restore: ${differences.join('; ')}`);
  return [
    `organizations and secrets: ${count}, ${before.organizations.length} bytes of JSON, the same`,
    `fingerprint of the server: ${fingerprint}, the same`,
    `configuration and keys: ${before.digests.size} files, each with the same SHA-256`,
  ];
}

function countOrganizations(json) {
  const secrets = Object.values(JSON.parse(json.toString())).map((organization) => organization.auth_secret);
  return secrets.filter((secret) => typeof secret === 'string' && secret !== '').length;
}
