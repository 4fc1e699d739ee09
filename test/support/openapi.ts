/** What docs/openapi.yaml says, for tests that hold the server to it. */
import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { parse } from 'yaml';
import type { Answer } from './serving.ts';

/** A JSON schema, as far as the document uses it. */
export interface Schema {
  type?: string | string[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Schema>;
  required?: string[];
}

interface Header {
  required?: boolean;
  schema: Schema;
}

interface Response {
  headers?: Record<string, Header>;
  content?: Record<string, { schema?: Schema }>;
}

/** One operation of the document. */
export interface Operation {
  /** `GET /v1/client`. */
  name: string;
  method: string;
  path: string;
  needsSession: boolean;
  parameters: { name: string; in: 'path' | 'query' | 'header'; required?: boolean; schema: Schema }[];
  body: { type: string; schema: Schema } | undefined;
  responses: Record<string, Response>;
}

/** Puts what references point to in their place; there are no circles. */
function resolve(value: unknown, root: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => resolve(item, root));
  if (typeof value !== 'object' || value === null) return value;
  if ('$ref' in value) {
    const steps = String(value.$ref).split('/').slice(1);
    return resolve(
      steps.reduce((at, step) => (at as Record<string, unknown>)[step], root),
      root,
    );
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, root)]));
}

function readOperations(): Operation[] {
  const raw = parse(readFileSync(new URL('../../docs/openapi.yaml', import.meta.url), 'utf8')) as unknown;
  const { paths } = resolve(raw, raw) as { paths: Record<string, Record<string, never>> };
  return Object.entries(paths).flatMap(([path, { parameters: shared = [], ...methods }]) =>
    Object.entries<Record<string, never>>(methods).map(([verb, operation]) => {
      const method = verb.toUpperCase();
      const content = (operation.requestBody as { content: Record<string, { schema: Schema }> } | undefined)
        ?.content;
      const [type, described] = Object.entries(content ?? {})[0] ?? [];
      return {
        ...{ name: `${method} ${path}`, method, path, responses: operation.responses ?? {} },
        needsSession: operation.security === undefined,
        parameters: [...shared, ...((operation.parameters as never[] | undefined) ?? [])],
        body: type === undefined || described === undefined ? undefined : { type, schema: described.schema },
      };
    }),
  );
}

/** Every operation. */
export const operations = readOperations();

const ajv = new Ajv2020({
  strict: false,
  formats: { 'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/ },
});
const compiled = new Map<Schema, ValidateFunction>();

function faultsOf(schema: Schema, value: unknown): string {
  const known = compiled.get(schema) ?? ajv.compile(schema);
  compiled.set(schema, known);
  return known(value) ? '' : ajv.errorsText(known.errors);
}

function headerFaults(
  name: string,
  { required, schema }: Header,
  value: string | string[] | undefined,
): string {
  if (value === undefined) return required ? `${name} is missing` : '';
  const isNumber = schema.type === 'integer';
  return faultsOf(schema, isNumber ? Number(value) : value);
}

/** What of an answer is not as the document says; empty where all of it is. */
export function answerFaults(operation: Operation, { status, headers, body }: Answer): string[] {
  const response = operation.responses[status];
  if (response === undefined)
    return [`${operation.name} answers ${status}, which is not documented: ${body}`];
  const faults = Object.entries(response.headers ?? {}).map(([name, header]) =>
    headerFaults(name, header, headers[name.toLowerCase()]),
  );
  const [type, described] = Object.entries(response.content ?? {})[0] ?? [];
  const sent = String(headers['content-type'] ?? '').split(';')[0];
  if (sent !== (type ?? '')) faults.push(`it is ${sent}, not ${type}`);
  else if (described?.schema !== undefined) faults.push(faultsOf(described.schema, JSON.parse(body)));
  return faults.filter((fault) => fault !== '').map((fault) => `${operation.name} ${status}: ${fault}`);
}

/** Values that a schema allows. */
export function allowed(schema: Schema): fc.Arbitrary<unknown> {
  const { type, pattern, minLength = 0, maxLength = 60, minimum = 0, maximum = 2 ** 31 } = schema;
  if (type === 'boolean') return fc.boolean();
  if (type === 'integer') return fc.integer({ min: minimum, max: maximum });
  if (type === 'object') {
    const { properties = {}, required = [] } = schema;
    const parts = Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, allowed(part)]));
    return fc.record(parts, { requiredKeys: required });
  }
  const text = { minLength, maxLength: Math.min(maxLength, 60), unit: 'grapheme' as const };
  if (pattern === undefined) return fc.string(text);
  const words = pattern.startsWith('^[^') ? fc.string(text) : fc.stringMatching(new RegExp(pattern));
  return words.filter((word) => faultsOf(schema, word) === '');
}

/** A value as text, such that it is UTF-8. */
export function plain(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).toString();
}

/** Anything at all that JSON can say, or next to what a schema allows. */
export function anything(schema: Schema): fc.Arbitrary<unknown> {
  const text = fc.string({ unit: 'binary', maxLength: 300 });
  const spoiled = fc.tuple(allowed(schema), text).map(([value, tail]) => `${plain(value)}${tail}`);
  return fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    text,
    spoiled,
    fc.integer(),
    fc.constant(null),
    allowed(schema),
  );
}
