import { failure } from '../core/errors.ts';
import { type KeyringFiles, withKeyring } from '../gpg/program.ts';
import { verifyClearSignedWith } from '../gpg/signature.ts';
import { COMMAND, type Mentioned, readMentions } from './mentions.ts';
import { listStrangers, listStreams } from './streams.ts';
import { type OpenSeal, type StreamReport, verifyStream } from './verify-stream.ts';

/** What a trail was found to be. */
export interface TrailReport {
  directory: string;
  trusted: boolean;
  streams: StreamReport[];
}

/** Whose seals count: the server's keys, and the fingerprint of the one. */
export interface Sealer {
  keys: KeyringFiles;
  fingerprint: string;
}

const NONE = { files: 0, lines: 0, sealed: 0, unsealed: 0 };

async function listExisting(directory: string): Promise<string[]> {
  const streams = await listStreams(directory);
  if (streams.length > 0) return streams;
  const hint =
    'the server and the first command write to it; where something was in it, somebody has removed it';
  throw failure('notFound', `there is no stream of an audit trail in ${directory}`, hint);
}

/** Streams of which nothing is left: those that others mention, and that of the commands, which every trail has. */
function missingStreams(streams: string[], mentions: Map<string, Mentioned>): StreamReport[] {
  const missing = [...mentions.keys(), COMMAND].filter((stream) => !streams.includes(stream));
  return [...new Set(missing)].map((stream) => {
    const most = mentions.get(stream)?.most;
    const had = most === undefined ? '' : `: it had ${most} lines at least`;
    return {
      ...NONE,
      stream,
      faults: [{ file: `${stream}.head`, fault: `the whole stream is missing${had}` }],
    };
  });
}

async function verifyStreams(directory: string, openSeal: OpenSeal): Promise<StreamReport[]> {
  // Read before the streams: what is mentioned is on the disk by then, also where the trail is written meanwhile.
  const mentions = await readMentions(directory);
  const streams = await listExisting(directory);
  const reports: StreamReport[] = [];
  for (const stream of streams)
    reports.push(await verifyStream({ directory, stream, openSeal, mentioned: mentions.get(stream) }));
  reports.push(...missingStreams(streams, mentions));
  const fault = 'it belongs to no stream of the trail';
  const faults = (await listStrangers(directory)).map((file) => ({ file, fault }));
  return faults.length === 0 ? reports : [...reports, { ...NONE, stream: 'unknown', faults }];
}

/** Verifies a trail: every line, every seal, every end. It may be written meanwhile. */
export async function verifyTrail(directory: string, { keys, fingerprint }: Sealer): Promise<TrailReport> {
  return withKeyring(keys, async (call) => {
    const openSeal: OpenSeal = async (signed) => {
      const { text, signer } = await verifyClearSignedWith(call, signed);
      if (signer !== fingerprint) throw failure('untrusted', 'the seal is by another key');
      return text;
    };
    const streams = await verifyStreams(directory, openSeal);
    return { directory, trusted: streams.every(({ faults }) => faults.length === 0), streams };
  });
}
