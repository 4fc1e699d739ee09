import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { abandonedDirectories, temporaryPrefix } from '../core/abandoned.ts';
import type { ChildResult } from '../core/child-result.ts';
import { createExclusively, removeTree, writeAll } from '../core/files.ts';
import { run } from '../core/process.ts';
import { shellWord } from '../core/quote.ts';
import { randomSuffix } from '../core/random.ts';
import {
  convert,
  damaged,
  type LockedFile,
  limits,
  notConverted,
  type Opening,
  wrongPassword,
} from './opening.ts';
import { openPkcs12 } from './pkcs12.ts';

const PLACE = '/tmp';

/** Keeps Java from writing its own files below /tmp, and from reading a password in another character set. */
const JAVA = ['-J-XX:-UsePerfData', '-J-Dfile.encoding=UTF-8', '-J-Duser.language=en'];

function byHand(path: string): string {
  const file = shellWord(path);
  return `where Java is installed: keytool -importkeystore -srckeystore ${file} -destkeystore ${file}.p12 -deststoretype PKCS12, then name ${file}.p12`;
}

async function withPrivateDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const prefix = await temporaryPrefix('ktjks');
  for (const left of await abandonedDirectories(PLACE, prefix)) await removeTree(left);
  const directory = await mkdtemp(join(PLACE, `${prefix}${process.pid}-`));
  try {
    return await work(directory);
  } finally {
    await removeTree(directory);
  }
}

async function write(path: string, data: Buffer): Promise<string> {
  const handle = await createExclusively(path);
  try {
    await writeAll(handle, data, 0);
  } finally {
    await handle.close();
  }
  return path;
}

/** keytool takes a password from a terminal or a file; the files are private, as is the store that it makes. */
async function runKeytool(
  directory: string,
  bytes: Buffer,
  password: string,
  own: string,
): Promise<ChildResult> {
  const at = (name: string) => join(directory, name);
  const from = ['-srckeystore', await write(at('in'), bytes), '-srcstoretype'];
  from.push(bytes[0] === 0xce ? 'JCEKS' : 'JKS');
  from.push('-srcstorepass:file', await write(at('password'), Buffer.from(password)));
  const to = ['-destkeystore', at('out'), '-deststoretype', 'PKCS12'];
  to.push('-deststorepass:file', await write(at('own'), Buffer.from(own)));
  return run('keytool', [...JAVA, '-importkeystore', '-noprompt', ...from, ...to], limits);
}

/** What a JKS or a JCEKS holds, as PEM text with the key unlocked: Java's keytool makes a PKCS #12 of it. */
export function openJks({ path, bytes }: LockedFile, password: string): Promise<Opening<string>> {
  return convert(path, byHand(path), () =>
    withPrivateDirectory(async (directory) => {
      const own = randomSuffix();
      const { status, stdout, stderr } = await runKeytool(directory, bytes, password, own);
      const words = stdout + stderr;
      if (status === 0) return openPkcs12({ path, bytes: await readFile(join(directory, 'out')) }, own);
      if (/password was incorrect/i.test(words))
        return { fault: wrongPassword(path, `keytool -list -keystore ${shellWord(path)}`) };
      if (/key password|cannot recover key/i.test(words))
        return { fault: notConverted(path, 'a key in it has another password than the store', byHand(path)) };
      return { fault: damaged(path, 'JKS') };
    }),
  );
}
