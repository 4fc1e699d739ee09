import type { FastifyReply } from 'fastify';
import type { Services } from '../services.ts';

/** `GET /?a=fingerprint`: the server's OpenPGP fingerprint, `4096R/<40 hex>`, as the original product answers. */
export function sendFingerprint({ settings }: Services, reply: FastifyReply): FastifyReply {
  return reply.type('text/plain; charset=utf-8').send(settings.configuration.LOCAL_FINGERPRINT);
}
