import type { Eta } from 'eta';
import { load } from '../../core/lazy.ts';
import approval from './templates/approval.eta';
import client from './templates/client.eta';
import decided from './templates/decided.eta';
import keyConfirm from './templates/key-confirm.eta';
import keyDone from './templates/key-done.eta';
import keyForm from './templates/key-form.eta';
import layout from './templates/layout.eta';
import message from './templates/message.eta';
import serverKey from './templates/server-key.eta';

const TEMPLATES = {
  approval,
  client,
  decided,
  'key-confirm': keyConfirm,
  'key-done': keyDone,
  'key-form': keyForm,
  layout,
  message,
  'server-key': serverKey,
};

let compiled: Promise<Eta> | undefined;

async function compile(): Promise<Eta> {
  const { Eta } = await load('eta');
  const eta = new Eta({ autoEscape: true, cache: true });
  for (const [name, text] of Object.entries(TEMPLATES)) eta.loadTemplate(`@${name}`, text);
  return eta;
}

/** A page as HTML. Whatever stands in `values` is escaped by the template; `host` is named at the top of every page. */
export async function renderPage(
  template: keyof typeof TEMPLATES,
  values: { host: string } & Record<string, unknown>,
): Promise<string> {
  compiled ??= compile();
  return (await compiled).render(`@${template}`, values);
}
