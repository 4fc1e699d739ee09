import { createReadStream } from 'node:fs';
import { addAbortSignal } from 'node:stream';
import { errorCode, explain, failure } from '../core/errors.ts';
import { checkInterruption, interruption } from '../core/interrupt.ts';
import { askSecret } from './prompts.ts';

const LIMIT = 65_536;

async function firstLine(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of source) {
    pieces.push(piece);
    size += piece.length;
    if (piece.includes(10) || size > LIMIT) break;
  }
  const all = Buffer.concat(pieces);
  const end = all.indexOf(10);
  return end === -1 ? all : all.subarray(0, end);
}

/** Reads a secret: the first line of a file, or of standard input, without its end of line. What is not UTF-8 is refused. */
export async function readSecret(path?: string): Promise<string> {
  const where = path ?? 'standard input';
  // Whoever types it sees a prompt and not the code.
  if (path === undefined && process.stdin.isTTY === true)
    return askSecret('Authorization code', (text) => text);
  const source = addAbortSignal(interruption, path === undefined ? process.stdin : createReadStream(path));
  const bytes = await firstLine(source).catch((error: unknown) => {
    checkInterruption();
    const { code, message } = explain(error);
    if (errorCode(error) === undefined) throw error;
    throw failure(code, message.startsWith(where) ? message : `${where}: ${message}`, undefined, error);
  });
  if (bytes.length > LIMIT) throw failure('usage', `the first line of ${where} is too long`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r$/, '');
  } catch {
    throw failure('usage', `the first line of ${where} is not text in UTF-8`);
  }
}
