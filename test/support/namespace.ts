/** Namespaces of a test's own, where it can change /etc, hide programs, fill /var/lib and use any port. Only root has these. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Outcome, type RunOptions, run, temporaryDirectory } from './sandbox.ts';

/** Has bash run lines in mount and network namespaces of their own, ending at the first that fails; whatever they mount is gone with them. */
export async function inNamespace(lines: string, options: RunOptions = {}): Promise<Outcome> {
  const directory = await temporaryDirectory();
  const script = join(directory, 'script');
  await writeFile(script, `set -e\n${lines}\n`, { mode: 0o700 });
  return await run('unshare', ['--mount', '--net', '--propagation', 'private', 'bash', script], {
    ...options,
    env: { PRIVATE: directory, ...options.env },
  });
}

/** Lines that put a copy of /etc in the place of /etc, without the account keytrustee. */
export const PRIVATE_ETC = `
mkdir "$PRIVATE/etc"
mount -t tmpfs -o mode=0755 tmpfs "$PRIVATE/etc"
cp -a /etc/. "$PRIVATE/etc/"
mount --bind "$PRIVATE/etc" /etc
umount "$PRIVATE/etc"
rm -f /etc/.pwd.lock /etc/passwd.lock /etc/shadow.lock /etc/group.lock /etc/gshadow.lock
if getent passwd keytrustee >"$PRIVATE/account"; then userdel keytrustee; fi
`;
