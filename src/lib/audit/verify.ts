import { failure } from '../core/errors.ts';
import { type KeyringFiles, withKeyring } from '../gpg/program.ts';
import { verifyClearSignedWith } from '../gpg/signature.ts';
import { listStreams } from './streams.ts';
import { type OpenSeal, type StreamReport, verifyStream } from './verify-stream.ts';

/** What a trail was found to be. */
export interface TrailReport {
  directory: string;
  trusted: boolean;
  streams: Omit<StreamReport, 'mentioned'>[];
}

/** Whose seals count: the server's keys, and the fingerprint of the one. */
export interface Sealer {
  keys: KeyringFiles;
  fingerprint: string;
}

const GONE = { files: 0, lines: 0, sealed: 0, unsealed: 0, mentioned: new Map<string, number>() };

/** What one stream is by what the others say of it: no shorter than it was. */
function judgeLength(report: StreamReport, seq: number): StreamReport {
  if (report.lines >= seq || report.faults.length > 0) return report;
  const fault = `lines are missing: another stream says that it had ${seq} at least`;
  return { ...report, faults: [{ file: `${report.stream}.head`, fault }] };
}

async function verifyStreams(directory: string, openSeal: OpenSeal): Promise<StreamReport[]> {
  const reports = new Map<string, StreamReport>();
  for (const stream of await listStreams(directory))
    reports.set(stream, await verifyStream({ directory, stream, openSeal }));
  const most = new Map<string, number>();
  for (const { mentioned } of reports.values())
    for (const [name, seq] of mentioned) most.set(name, Math.max(seq, most.get(name) ?? 0));
  for (const [stream, seq] of most) {
    const found = reports.get(stream);
    const fault = {
      file: `${stream}.head`,
      fault: `the whole stream is missing: it had ${seq} lines at least`,
    };
    if (found === undefined) reports.set(stream, { ...GONE, stream, faults: [fault] });
    // What was written while the others were read is seen by reading it again.
    else if (found.lines < seq)
      reports.set(stream, judgeLength(await verifyStream({ directory, stream, openSeal }), seq));
  }
  return [...reports.values()];
}

/** Verifies a trail: every line, every seal, every end. It may be written meanwhile. */
export async function verifyTrail(directory: string, { keys, fingerprint }: Sealer): Promise<TrailReport> {
  return withKeyring(keys, async (call) => {
    const openSeal: OpenSeal = async (signed) => {
      const { text, signer } = await verifyClearSignedWith(call, signed);
      if (signer !== fingerprint) throw failure('untrusted', 'the seal is by another key');
      return text;
    };
    const streams = (await verifyStreams(directory, openSeal)).map(({ mentioned: _, ...report }) => report);
    return { directory, trusted: streams.every(({ faults }) => faults.length === 0), streams };
  });
}
