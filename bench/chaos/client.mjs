// A client of the load: registered once, with a library for reads, one for writes, and one for each server alone.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What the library is given for a call, unless the place says something else; `soon` is for those to one server, which may be
 * down. Milliseconds.
 */
const LIMITS = { put: 90_000, get: 90_000, soon: 90_000 };

/** The same client once more, to whom no server but one is known. */
function homeFor(home, server, number) {
  const own = `${home}-${number}`;
  cpSync(home, own, { recursive: true });
  const file = join(own, 'client.conf');
  const { PASSIVE_SERVER: _, ...configuration } = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...configuration, SERVER: server }));
  return own;
}

/** One of the servers: libraries that talk to it alone, the second one impatiently, and how another such one is opened. */
async function openDoor({ library }, home, limits) {
  const reopen = () => library.openClient({ home, timeout: limits.soon });
  return { library: await library.openClient({ home, timeout: limits.get }), soon: await reopen(), reopen };
}

/** Registers a client at `place.servers`, the active one first, and opens all that the load needs of it. */
export async function openAll(place, number, code) {
  const home = join(place.directory, `client-${number}`);
  const [server, passiveServer] = place.servers;
  const registration = { home, organization: 'chaos', code, caCertificate: place.certificates() };
  await place.library.registerClient({ ...registration, server, passiveServer });
  const limits = { ...LIMITS, ...place.limits };
  const [library, writer] = await Promise.all(
    [limits.get, limits.put].map((timeout) => place.library.openClient({ home, timeout })),
  );
  const homes = passiveServer === undefined ? [home] : place.servers.map((url, at) => homeFor(home, url, at));
  const doors = await Promise.all(homes.map((own) => openDoor(place, own, limits)));
  const close = () => {
    for (const each of [library, writer, ...doors.flatMap((door) => [door.library, door.soon])]) each.close();
  };
  return { library, writer, doors, limits, fingerprint: library.fingerprint, close };
}
