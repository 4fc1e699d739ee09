import * as z from 'zod/mini';
import { Refusal } from '../core/refusal.ts';

/** A text of at most so many characters, which may not be empty. */
export function words(maximum: number) {
  return z.string().check(z.minLength(1), z.maxLength(maximum));
}

/** A fingerprint as the interface has it. */
export const fingerprint = z.string().check(z.regex(/^[0-9A-F]{40}$/));

/** Checks what a request carries. The refusal names the field that is wrong and never its value. */
export function parse<Schema extends z.ZodMiniType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new Refusal(
    'invalid_request',
    field === '' ? undefined : `the field ${field} is missing, or not as it must be`,
  );
}
