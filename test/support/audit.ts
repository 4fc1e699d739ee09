/** Audit trails for tests. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseLine } from '../../src/lib/audit/format.ts';
import type { TrailOptions } from '../../src/lib/audit/stream.ts';
import { type TrailReport, verifyTrail } from '../../src/lib/audit/verify.ts';
import { confdirFiles } from '../../src/lib/core/config.ts';
import type { AuditEvent } from '../../src/lib/core/trail.ts';
import { bareFingerprint } from '../../src/lib/gpg/server-key.ts';
import { clearSign } from '../../src/lib/gpg/signature.ts';
import { world } from './sandbox.ts';

/** The keys of the server that every test server is a copy of. */
const confdir = join(world.directory, 'template', '.keytrustee');

async function fingerprint(): Promise<string> {
  const text = await readFile(confdirFiles(confdir).configuration, 'utf8');
  return bareFingerprint((JSON.parse(text) as { LOCAL_FINGERPRINT: string }).LOCAL_FINGERPRINT);
}

/** Signs as the server does. */
export async function sign(text: string): Promise<string> {
  return clearSign(confdirFiles(confdir), await fingerprint(), text);
}

/** How a test keeps a stream: files as large as in earnest, real seals, no waiting for others. */
export function trailOptions(options: Partial<TrailOptions> = {}): TrailOptions {
  return { fileBytes: 64 * 1024 * 1024, sign, who: 'account:keytrustee', wait: 0, ...options };
}

/** Verifies a trail as `audit verify` does. */
export async function verified(directory: string): Promise<TrailReport> {
  const keys = { publicKeys: confdirFiles(confdir).publicKeys };
  return verifyTrail(directory, { keys, fingerprint: await fingerprint() });
}

/** The faults of a trail, each as `FILE:LINE`. */
export async function faultsOf(directory: string): Promise<string[]> {
  const { streams } = await verified(directory);
  return streams.flatMap(({ faults }) =>
    faults.map(({ file, line }) => `${file}${line === undefined ? '' : `:${line}`}`),
  );
}

/** An event of no meaning. */
export function someEvent(number: number, more: Partial<AuditEvent> = {}): AuditEvent {
  const what = { deposit: `d${number}`, size: number };
  return { event: 'deposit.get', who: 'client:A', from: '::1', what, outcome: 'done', ...more };
}

/** The lines of a stream, in their order; what is none is left out. */
export async function linesOf(directory: string, stream: string): Promise<Record<string, unknown>[]> {
  const names = (await readdir(directory)).filter((name) =>
    new RegExp(`^${stream}[.]\\d+[.]jsonl$`).test(name),
  );
  const texts = await Promise.all(names.toSorted().map((name) => readFile(join(directory, name), 'utf8')));
  return texts.flatMap((text) => text.split('\n')).flatMap((line) => parseLine(line) ?? []) as never[];
}
