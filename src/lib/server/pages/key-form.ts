import type { FastifyRequest } from 'fastify';
import { KEY_LIMIT } from '../../gpg/key-fault.ts';

/** What a contact sent from the key page. */
export interface KeyForm {
  /** A file where one was chosen, else what was pasted. */
  key: string | Uint8Array;
  /** Whether the key was shown, and is confirmed now. */
  isConfirmed: boolean;
}

/** Browsers end lines with two bytes; a little more than the limit is read, so that what is too large is seen to be. */
const ROOM = KEY_LIMIT + 4096;

const LIMITS = { fileSize: ROOM, fieldSize: ROOM, files: 1, fields: 4, parts: 5, fieldNameSize: 64 };

/** Reads the form of the key page. At most about 64 KiB of each part are held; the rest of a larger one is thrown away. */
export async function readKeyForm(request: FastifyRequest): Promise<KeyForm> {
  const fields = new Map<string, string>();
  let file: Uint8Array = new Uint8Array();
  for await (const part of request.parts({ limits: LIMITS })) {
    if (part.type === 'file') file = await part.toBuffer();
    else if (typeof part.value === 'string') fields.set(part.fieldname, part.value);
  }
  const key = file.length > 0 ? file : (fields.get('key') ?? '');
  return { key, isConfirmed: fields.get('step') === 'confirm' };
}
