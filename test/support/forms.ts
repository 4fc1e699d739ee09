/** Forms of the pages, sent as a browser sends them. */
import { type Answer, ask } from './serving.ts';

/** Sends the form of a contact's key page. */
export async function sendKeyForm(
  { port }: { port: number },
  token: string,
  fields: Record<string, string | Blob>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  const encoded = new Response(form);
  const type = encoded.headers.get('content-type') ?? '';
  const body = Buffer.from(await encoded.arrayBuffer());
  return ask(port, `/?q=${token}`, { method: 'POST', body, headers: { 'content-type': type, ...headers } });
}

/** Presses a button of the approval page. */
export function pressButton(
  { port }: { port: number },
  token: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  return ask(port, `/approval?q=${token}`, { method: 'POST', body, headers: { ...type, ...headers } });
}

/** The title of a page. */
export const titleOf = ({ body }: Answer) => /<title>(.*) - Key Trustee Server</.exec(body)?.[1];
